import type { Job } from './job.ts';

/** After so long a job's turn has come, whatever else is asked for: no stream of backups may keep a prune waiting for ever. */
export const PATIENCE_MS = 600_000;
/** What a person or an application waits for: it is never overtaken. */
const URGENT_PRIORITY_MIN = 60;

/**
 * Queued jobs in the order in which they are to run: urgent ones; then those that have waited too long, the first
 * first; then the rest.
 * @param queued by priority, equal ones in the order of submission
 */
export function inTurn<Queued extends Pick<Job, 'priority' | 'createdAt'>>(
  queued: readonly Queued[],
  nowMs: number,
): Queued[] {
  const urgent = queued.filter(({ priority }) => priority >= URGENT_PRIORITY_MIN);
  const others = queued.filter(({ priority }) => priority < URGENT_PRIORITY_MIN);
  const sinceMs = ({ createdAt }: Queued): number => Date.parse(createdAt);
  const isOverdue = (job: Queued): boolean => nowMs - sinceMs(job) >= PATIENCE_MS;
  const overdue = others.filter(isOverdue).sort((one, other) => sinceMs(one) - sinceMs(other));
  return [...urgent, ...overdue, ...others.filter((job) => !isOverdue(job))];
}
