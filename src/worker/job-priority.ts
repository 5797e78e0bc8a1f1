import type { Settings } from '../config/settings.ts';
import { lowerPriority } from '../host/process-priority.ts';
import type { JobKind } from '../jobs/job.ts';
import type { WorkerStart } from '../jobs/worker-messages.ts';

/** What an application, or whoever looks after it, cannot go on without. */
const AWAITED: ReadonlySet<JobKind> = new Set([
  'restore',
  'stage',
  'apply',
  'recover',
  'reconcile',
  'bootstrap',
  'migrate',
  'import',
]);

export function standsBack(kind: JobKind): boolean {
  return !AWAITED.has(kind);
}

/** Before the work begins: threads that it starts inherit the priority. */
export function lowerForJob({ kind, settings }: WorkerStart): void {
  // Writers of databases in rollback mode wait for a snapshot of them.
  if (standsBack(kind)) lowerPriority((settings as Settings).worker, kind === 'backup');
}
