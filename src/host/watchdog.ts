import type { Clock, Timer } from '../kernel/clock.ts';
import type { Service } from '../kernel/service.ts';
import type { Notifier } from './notifier.ts';

/**
 * Pings the service manager from the event loop, so that a blocked loop is noticed and the daemon restarted
 * (WatchdogSec= in systemd.service(5)).
 */

// sd_watchdog_enabled(3) advises half of the limit; a third leaves room for one late turn of the loop.
const PINGS_PER_LIMIT = 3;

/** Milliseconds between pings, or null when no watchdog watches this process (sd_watchdog_enabled(3)). */
export function watchdogIntervalMs(environment: NodeJS.ProcessEnv, pid: number): number | null {
  const limit = environment['WATCHDOG_USEC'];
  if (limit === undefined || !/^[1-9]\d*$/.test(limit)) return null;
  const watched = environment['WATCHDOG_PID'];
  if (watched !== undefined && watched !== String(pid)) return null;
  return Number(limit) / 1000 / PINGS_PER_LIMIT;
}

export interface WatchdogOptions {
  readonly notifier: Notifier;
  readonly clock: Clock;
  readonly environment: NodeJS.ProcessEnv;
  /** Of the watched process; this one by default. */
  readonly pid?: number;
}

/** To be started before READY=1 is sent, since the limit counts from then. */
export function createWatchdog(options: WatchdogOptions): Service {
  const { notifier, clock, environment, pid = process.pid } = options;
  let timer: Timer | null = null;

  const ping = (intervalMs: number): void => {
    void notifier.watchdog();
    timer = clock.after(intervalMs, () => ping(intervalMs), { unref: true });
  };

  return {
    name: 'watchdog',
    async start() {
      const intervalMs = watchdogIntervalMs(environment, pid);
      if (intervalMs !== null && timer === null) ping(intervalMs);
    },
    async stop() {
      timer?.cancel();
      timer = null;
    },
  };
}
