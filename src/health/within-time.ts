import type { Clock } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';

/** The promise's outcome, or TIMEOUT; what it stands for goes on, its outcome is then ignored. */
export function withinTime<Value>(
  promise: Promise<Value>,
  timeoutMs: number,
  what: string,
  clock: Clock,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(timeoutMs, () =>
      reject(cannot('TIMEOUT', 'finish', what, `it took longer than ${timeoutMs} ms`)),
    );
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
