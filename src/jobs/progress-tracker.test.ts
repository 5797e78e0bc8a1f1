import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ProgressCounts } from '../kernel/activity.ts';
import type { JobProgress } from './job.ts';
import { PROGRESS_INTERVAL_MS, ProgressTracker } from './progress-tracker.ts';
import { ManualClock } from './testing/manual-clock.ts';

interface Seen {
  readonly atMs: number;
  readonly progress: JobProgress;
}

function tracked(): { clock: ManualClock; tracker: ProgressTracker; seen: Seen[] } {
  const clock = new ManualClock();
  const seen: Seen[] = [];
  const tracker = new ProgressTracker(clock, (progress) =>
    seen.push({ atMs: clock.monotonicMs(), progress }),
  );
  return { clock, tracker, seen };
}

it('M-21, M-61, F48, Z-D24, Z-36: the first report is an event at once, and a job shorter than a second still ends with its totals', () => {
  const { clock, tracker, seen } = tracked();
  tracker.report({ phase: 'read', filesDone: 1, totalFiles: 3, bytesDone: 10, totalBytes: 30 });
  expect(seen).toHaveLength(1);
  expect(seen[0]?.progress).toMatchObject({ phase: 'read', filesDone: 1, bytesDone: 10 });
  clock.advance(5);
  tracker.report({ filesDone: 3, bytesDone: 30 });
  expect(seen).toHaveLength(1);
  tracker.finish(true);
  expect(seen).toHaveLength(2);
  expect(seen[1]?.progress).toMatchObject({
    filesDone: 3,
    totalFiles: 3,
    bytesDone: 30,
    totalBytes: 30,
    percentDone: 1,
    etaSeconds: 0,
  });
  expect(clock.pendingTimers).toBe(0);
});

it('a job that reports nothing still has its last event', () => {
  const { tracker, seen } = tracked();
  tracker.finish(true);
  expect(seen.map(({ progress }) => progress.percentDone)).toEqual([1]);
});

it('F48, M-21: what was held back within a second comes at its end, without another report', () => {
  const { clock, tracker, seen } = tracked();
  tracker.report({ filesDone: 1 });
  tracker.report({ filesDone: 2 });
  tracker.report({ filesDone: 3, currentFile: 'data/a' });
  clock.advance(PROGRESS_INTERVAL_MS);
  expect(seen.map(({ progress }) => progress.filesDone)).toEqual([1, 3]);
});

it('F48, Z-D24: totals are null until they are known, and so is the percentage', () => {
  const { tracker } = tracked();
  tracker.report({ filesDone: 7 });
  expect(tracker.current).toMatchObject({ totalFiles: null, totalBytes: null, percentDone: null });
  tracker.report({ totalFiles: 14 });
  expect(tracker.current.percentDone).toBe(0.5);
});

it('M-22: speed and time left come from the last seconds, once they mean something', () => {
  const { clock, tracker } = tracked();
  tracker.report({ bytesDone: 0, totalBytes: 100_000 });
  expect(tracker.current).toMatchObject({ throughputBps: null, etaSeconds: null });
  for (let second = 1; second <= 20; second += 1) {
    clock.advance(1_000);
    // Slow at first, then ten times as fast.
    tracker.report({ bytesDone: second <= 8 ? second * 100 : 800 + (second - 8) * 1_000 });
  }
  expect(tracker.current.throughputBps).toBe(1_000);
  expect(tracker.current.etaSeconds).toBe(88);
});

it('a phase that counts anew does not make the speed negative', () => {
  const { clock, tracker } = tracked();
  tracker.report({ bytesDone: 5_000, totalBytes: 10_000 });
  clock.advance(3_000);
  tracker.report({ phase: 'verify', bytesDone: 0 });
  clock.advance(4_000);
  tracker.report({ bytesDone: 400 });
  expect(tracker.current.throughputBps).toBe(100);
});

it('after the last event there is none', () => {
  const { clock, tracker, seen } = tracked();
  tracker.report({ filesDone: 1 });
  tracker.report({ filesDone: 2 });
  tracker.finish(false);
  tracker.report({ filesDone: 3 });
  tracker.finish(true);
  clock.advance(10_000);
  expect(seen).toHaveLength(2);
  expect(seen.at(-1)?.progress).toMatchObject({ filesDone: 2, percentDone: null });
});

const number = fc.oneof(
  fc.nat(1_000),
  fc.constantFrom(Number.NaN, -1, Number.POSITIVE_INFINITY, null),
);
const counts = fc.record(
  {
    phase: fc.string(),
    currentFile: fc.string(),
    filesDone: number,
    totalFiles: number,
    bytesDone: number,
    totalBytes: number,
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Partial<ProgressCounts>>;

it('F48, M-20, M-21, Z-D24: the contract holds for any reports at any pace', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(1_500), counts), { maxLength: 60 }),
      fc.boolean(),
      (reports, succeeded) => {
        const { clock, tracker, seen } = tracked();
        for (const [waitMs, report] of reports) {
          clock.advance(waitMs);
          tracker.report(report);
        }
        const beforeLast = seen.length;
        tracker.finish(succeeded);

        expect(beforeLast > 0).toBe(reports.length > 0);
        expect(seen).toHaveLength(beforeLast + 1);
        for (let index = 1; index < beforeLast; index += 1) {
          const gapMs = seen[index]!.atMs - seen[index - 1]!.atMs;
          expect(gapMs).toBeGreaterThanOrEqual(PROGRESS_INTERVAL_MS);
        }
        const percents = seen.flatMap(({ progress }) => progress.percentDone ?? []);
        expect(percents).toEqual([...percents].sort((left, right) => left - right));
        const last = seen.at(-1)!.progress;
        expect(percents.filter((percent) => percent >= 1)).toEqual(succeeded ? [1] : []);
        if (succeeded) {
          expect(last.filesDone).toBe(last.totalFiles);
          expect(last.bytesDone).toBe(last.totalBytes);
        }
        for (const { progress } of seen) {
          for (const value of [progress.filesDone, progress.bytesDone, progress.throughputBps]) {
            if (value !== null) expect(Number.isFinite(value) && value >= 0).toBe(true);
          }
        }
      },
    ),
  );
});
