import type { Notifier } from '../host/notifier.ts';
import type { Clock } from '../kernel/clock.ts';

const EXTENSION_MS = 60_000;

/** Asks the service manager for more time, again and again, until it is stopped: boot may check large databases. */
export function keepExtendingTimeout(notifier: Notifier, clock: Clock): { stop(): void } {
  const extend = (): void => {
    void notifier.extendTimeout(EXTENSION_MS);
    timer = clock.after(EXTENSION_MS / 2, extend, { unref: true });
  };
  let timer = clock.after(0, extend, { unref: true });
  return { stop: () => timer.cancel() };
}
