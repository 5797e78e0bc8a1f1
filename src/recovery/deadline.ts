import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';

const DEADLINE_MS_MIN = 60_000;
const GIGABYTE = 1e9;

/** How long checking and repairing one database may take. */
export function deadlineMs(bytes: number, deadlineMsPerGigabyte: number): number {
  return Math.max(DEADLINE_MS_MIN, Math.ceil((bytes / GIGABYTE) * deadlineMsPerGigabyte));
}

/**
 * Runs `work` with an activity that is aborted with TIMEOUT after `limitMs`, or when the outer one is. Work
 * inside SQLite notices it at its next pause; whoever runs the process ends it if that takes too long.
 */
export async function withDeadline<T>(
  outer: Activity,
  clock: Clock,
  limitMs: number,
  database: string,
  work: (activity: Activity) => Promise<T>,
): Promise<T> {
  outer.signal.throwIfAborted();
  const controller = new AbortController();
  const abortAsOuter = (): void => controller.abort(outer.signal.reason);
  outer.signal.addEventListener('abort', abortAsOuter, { once: true });
  const timer = clock.after(
    limitMs,
    () =>
      controller.abort(
        cannot('TIMEOUT', 'recover', database, `not done within ${limitMs} ms`, {
          hint: 'Raise recovery.deadlineMsPerGigabyte, or restore the database from a snapshot.',
        }),
      ),
    { unref: true },
  );
  try {
    return await work({ ...outer, signal: controller.signal });
  } finally {
    timer.cancel();
    outer.signal.removeEventListener('abort', abortAsOuter);
  }
}
