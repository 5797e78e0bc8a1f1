import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChangeDebouncer } from './change-debouncer.ts';

const options = { quietMs: 5_000, maxWaitMs: 30_000, minGapMs: 20_000, underWayMsMax: 600_000 };

describe('ChangeDebouncer', () => {
  it('nothing is due while nothing changed', () => {
    const debouncer = new ChangeDebouncer(options);
    expect(debouncer.dueAtMs()).toBeNull();
    expect(debouncer.take(1e12)).toBe(false);
  });

  it('Z-10: is due once it was quiet', () => {
    const debouncer = new ChangeDebouncer(options);
    for (const atMs of [0, 1_000, 4_000]) debouncer.noteChange(atMs);
    expect(debouncer.take(8_999)).toBe(false);
    expect(debouncer.take(9_000)).toBe(true);
  });

  it('Z-10: is due after maxWait even if changes never end', () => {
    const debouncer = new ChangeDebouncer(options);
    for (let atMs = 0; atMs <= 29_000; atMs += 1_000) debouncer.noteChange(atMs);
    expect(debouncer.dueAtMs()).toBe(30_000);
  });

  it('failures are tried again, later each time, and a success ends that', () => {
    const debouncer = new ChangeDebouncer(options);
    let nowMs = 0;
    const delays = Array.from({ length: 8 }, () => {
      debouncer.noteChange(nowMs);
      nowMs = debouncer.dueAtMs()!;
      expect(debouncer.take(nowMs)).toBe(true);
      debouncer.begin(nowMs);
      debouncer.noteFailure(nowMs);
      return (debouncer.dueAtMs()! - nowMs) / 60_000;
    });
    expect(delays).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
    nowMs = debouncer.dueAtMs()!;
    expect(debouncer.take(nowMs)).toBe(true);
    debouncer.begin(nowMs);
    debouncer.noteSuccess();
    debouncer.noteChange(nowMs);
    expect(debouncer.dueAtMs()).toBe(nowMs + options.minGapMs);
  });

  it('a snapshot that nobody reports the end of does not stop the next for ever', () => {
    const debouncer = new ChangeDebouncer(options);
    debouncer.noteChange(0);
    debouncer.take(5_000);
    debouncer.begin(5_000);
    debouncer.noteChange(6_000);
    expect(debouncer.isUnderWay(604_999)).toBe(true);
    expect(debouncer.dueAtMs()).toBe(605_000);
  });

  it('Z-10: for any course of events: no change is lost, gaps and waits are kept, one at a time', () => {
    const times = fc.record({
      quietMs: fc.integer({ min: 0, max: 50 }),
      maxWaitMs: fc.integer({ min: 0, max: 100 }),
      minGapMs: fc.integer({ min: 0, max: 200 }),
    });
    const steps = fc.array(
      fc.record({
        afterMs: fc.integer({ min: 0, max: 60 }),
        changes: fc.boolean(),
        ends: fc.boolean(),
      }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(times, steps, (limits, course) => {
        const debouncer = new ChangeDebouncer({ ...limits, underWayMsMax: 1e9 });
        let nowMs = 0;
        let lastStartMs = Number.NEGATIVE_INFINITY;
        let lastEndMs = Number.NEGATIVE_INFINITY;
        let isUnderWay = false;
        let uncaptured: number[] = [];
        const step = (): void => {
          const isDue = debouncer.take(nowMs);
          // The promise, said anew: whoever waits long enough is taken, nobody else is.
          const first = uncaptured[0];
          const last = uncaptured.at(-1);
          const expected =
            first !== undefined &&
            last !== undefined &&
            !isUnderWay &&
            nowMs >= lastStartMs + limits.minGapMs &&
            (nowMs >= last + limits.quietMs || nowMs >= first + limits.maxWaitMs);
          expect(isDue).toBe(expected);
          if (!isDue) return;
          debouncer.begin(nowMs);
          lastStartMs = nowMs;
          isUnderWay = true;
          uncaptured = [];
        };
        for (const { afterMs, changes, ends } of course) {
          nowMs += afterMs;
          if (changes) {
            debouncer.noteChange(nowMs);
            uncaptured.push(nowMs);
          }
          if (ends && isUnderWay) {
            debouncer.noteSuccess();
            isUnderWay = false;
            lastEndMs = nowMs;
          }
          step();
        }
        if (isUnderWay) debouncer.noteSuccess();
        isUnderWay = false;
        nowMs = Math.max(nowMs, lastEndMs) + 1_000;
        step();
        expect(uncaptured).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
