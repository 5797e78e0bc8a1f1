import { describe, expect, it } from 'vitest';
import type { Notifier } from './notifier.ts';
import { manualClock } from './testing/manual-clock.ts';
import { createWatchdog, watchdogIntervalMs } from './watchdog.ts';

function countingNotifier(): { notifier: Notifier; pings: () => number } {
  let pings = 0;
  const silent = async (): Promise<void> => {};
  return {
    notifier: {
      means: 'none',
      ready: silent,
      status: silent,
      stopping: silent,
      extendTimeout: silent,
      watchdog: async () => {
        pings += 1;
      },
    },
    pings: () => pings,
  };
}

describe('createWatchdog()', () => {
  it('pings at once and then at least twice per limit, until stopped', async () => {
    const clock = manualClock();
    const { notifier, pings } = countingNotifier();
    const watchdog = createWatchdog({
      notifier,
      clock,
      environment: { WATCHDOG_USEC: '60000000' },
    });
    await watchdog.start();
    expect(pings()).toBe(1);
    clock.advance(60_000);
    expect(pings()).toBeGreaterThanOrEqual(3);
    await watchdog.stop(0);
    const before = pings();
    clock.advance(600_000);
    expect(pings()).toBe(before);
  });

  it('stays silent when no watchdog watches this process', async () => {
    const clock = manualClock();
    const { notifier, pings } = countingNotifier();
    for (const environment of [
      {},
      { WATCHDOG_USEC: '0' },
      { WATCHDOG_USEC: 'soon' },
      { WATCHDOG_USEC: '1000000', WATCHDOG_PID: '1' },
    ]) {
      await createWatchdog({ notifier, clock, environment, pid: 4242 }).start();
    }
    clock.advance(600_000);
    expect(pings()).toBe(0);
  });

  it('watchdogIntervalMs() is at most half of the limit', () => {
    const intervalMs = watchdogIntervalMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7);
    expect(intervalMs).toBeGreaterThan(0);
    expect(intervalMs).toBeLessThanOrEqual(15_000);
  });
});
