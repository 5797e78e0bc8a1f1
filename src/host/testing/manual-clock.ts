import type { Clock } from '../../kernel/clock.ts';

export interface ManualClock extends Clock {
  /** Moves time on and runs what falls due, in order. */
  advance(durationMs: number): void;
}

export function manualClock(startMs = 1_700_000_000_000): ManualClock {
  let elapsedMs = 0;
  let timers: { dueMs: number; callback: () => void }[] = [];
  return {
    nowMs: () => startMs + elapsedMs,
    monotonicMs: () => elapsedMs,
    after(delayMs, callback) {
      const timer = { dueMs: elapsedMs + delayMs, callback };
      timers.push(timer);
      return {
        cancel: () => {
          timers = timers.filter((each) => each !== timer);
        },
      };
    },
    advance(durationMs) {
      const endMs = elapsedMs + durationMs;
      for (;;) {
        const [next] = timers
          .filter(({ dueMs }) => dueMs <= endMs)
          .sort((a, b) => a.dueMs - b.dueMs);
        if (next === undefined) break;
        timers = timers.filter((each) => each !== next);
        elapsedMs = next.dueMs;
        next.callback();
      }
      elapsedMs = endMs;
    },
  };
}
