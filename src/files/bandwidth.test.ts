import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { ManualClock } from '../jobs/testing/manual-clock.ts';
import { bandwidthOf, beforeRead, beforeWrite, limitBandwidth } from './bandwidth.ts';

let unlimit = (): void => {};
afterEach(() => unlimit());

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('F09, M-13, M-35: a job without a bound of its own has the host’s; one of 0 has none', () => {
  const host = { readBytesPerSecond: 100, writeBytesPerSecond: 200 };
  expect(bandwidthOf(host)).toEqual(host);
  expect(bandwidthOf(host, {})).toEqual(host);
  expect(bandwidthOf(host, { writeBytesPerSecond: 5 })).toEqual({
    readBytesPerSecond: 100,
    writeBytesPerSecond: 5,
  });
  expect(bandwidthOf(host, { readBytesPerSecond: 0 })).toEqual({
    readBytesPerSecond: 0,
    writeBytesPerSecond: 200,
  });
});

it('F09, M-35: whatever is asked for, in any pieces at once, no second sees more than its share', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 100, max: 10_000 }),
      async (pieces, rate) => {
        const clock = new ManualClock();
        const off = limitBandwidth({ readBytesPerSecond: rate, writeBytesPerSecond: 0 }, clock);
        let passed = 0;
        const all = Promise.all(
          pieces.map(async (bytes) => {
            await beforeRead(bytes);
            passed += bytes;
            // What went through before is paid for; the newest piece may be on its way.
            expect(passed - Math.max(...pieces)).toBeLessThanOrEqual(
              (clock.monotonicMs() * rate) / 1_000 + 1,
            );
          }),
        );
        await turn();
        while (clock.pendingTimers > 0) {
          clock.advance(100);
          await turn();
        }
        await all;
        const total = pieces.reduce((sum, bytes) => sum + bytes, 0) - pieces.at(-1)!;
        // Nor does it take longer than it must.
        expect(clock.monotonicMs()).toBeLessThanOrEqual((total * 1_000) / rate + 200);
        off();
      },
    ),
    { numRuns: 50 },
  );
});

it('F09: reading and writing have bounds of their own, and a cancelled job waits for neither', async () => {
  const clock = new ManualClock();
  const abort = new AbortController();
  const limits = { readBytesPerSecond: 0, writeBytesPerSecond: 10 };
  unlimit = limitBandwidth(limits, clock, abort.signal);
  for (let index = 0; index < 100; index += 1) await beforeRead(1_000_000);
  await beforeWrite(1_000_000);
  const waits = beforeWrite(1);
  abort.abort(new Error('cancelled'));
  await expect(waits).rejects.toThrow('cancelled');
  unlimit();
  await beforeWrite(1_000_000);
});
