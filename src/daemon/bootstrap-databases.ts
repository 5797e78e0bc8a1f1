import type { LiveSettings } from '../config/live-settings.ts';
import type { SourceSettings } from '../config/settings.ts';
import type { Job, JobKind } from '../jobs/job.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import { type Clock, sleep } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { BootProgress, BootstrapFailure } from './boot-progress.ts';

interface BootstrapOptions {
  readonly live: LiveSettings;
  readonly queue: Pick<JobQueue, 'admit'>;
  readonly progress: BootProgress;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const RETRY_MS = 60_000;

/** What an operator may do meanwhile: put another artifact, or a snapshot, in the place. */
const WAYS_OUT: readonly JobKind[] = ['artifact', 'restore'];

const hasBootstrap = ({ artifacts }: SourceSettings): boolean =>
  artifacts.some(({ bootstrapRef, bootstrapPath }) => (bootstrapRef ?? bootstrapPath) !== null);

/**
 * Databases that are not there yet, made from artifacts. Returns once all of them are there, or were seen to need nothing:
 * until then the daemon does not become ready, `status` says why, and it is tried again every minute.
 */
export async function bootstrapDatabases(
  { live, queue, progress, clock, logger, signal }: BootstrapOptions,
  runJob: (sourceId: string) => Promise<Job>,
): Promise<void> {
  let waiting = live.current.sources.filter(hasBootstrap);
  if (waiting.length === 0) return;
  progress.enter('bootstrap');
  for (;;) {
    const failures: BootstrapFailure[] = [];
    for (const [index, { id: sourceId, name }] of waiting.entries()) {
      signal.throwIfAborted();
      progress.step(
        `making the databases of ${name} that are not there yet`,
        index,
        waiting.length,
      );
      const { status, error } = await runJob(sourceId);
      if (status === 'succeeded') continue;
      failures.push({ sourceId, message: error?.message ?? `bootstrapping ${name} ${status}` });
    }
    progress.noteBootstrap(failures);
    if (failures.length === 0) return;
    logger.error({ failures }, 'not ready: databases cannot be bootstrapped');
    queue.admit(['reconcile', 'apply', 'bootstrap', 'recover', ...WAYS_OUT]);
    progress.step(failures[0]!.message, 0, waiting.length);
    await sleep(clock, RETRY_MS, signal);
    // As they are now: the operator may have taken the reference out.
    const failed = new Set(failures.map(({ sourceId }) => sourceId));
    waiting = live.current.sources.filter((each) => failed.has(each.id) && hasBootstrap(each));
  }
}
