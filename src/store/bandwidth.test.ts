import { afterEach, beforeEach, expect, it } from 'vitest';
import { limitBandwidth } from '../files/bandwidth.ts';
import { ManualClock } from '../jobs/testing/manual-clock.ts';
import { openReader } from './repository.ts';
import {
  commitFile,
  fileOf,
  noiseBytes,
  scratchRepository,
  writerOf,
} from './testing/scratch-repository.ts';

let path: string;
let dispose: () => Promise<void>;
let unlimit = (): void => {};

beforeEach(async () => {
  ({ path, dispose } = await scratchRepository());
});
afterEach(async () => {
  unlimit();
  await dispose();
});

const MEBIBYTE = 1024 * 1024;

/** Moves the clock on until the work is done; returns how long it took by that clock. */
async function timed<T>(clock: ManualClock, work: Promise<T>): Promise<[T, number]> {
  const startMs = clock.monotonicMs();
  let done = false;
  const end = work.finally(() => {
    done = true;
  });
  while (!done) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (clock.pendingTimers > 0) clock.advance(50);
  }
  return [await end, clock.monotonicMs() - startMs];
}

it('F09, M-35: 4 MiB written and read at 1 MiB a second take their time, and are the same bytes', async () => {
  const clock = new ManualClock();
  const content = noiseBytes(4 * MEBIBYTE);
  unlimit = limitBandwidth({ readBytesPerSecond: 0, writeBytesPerSecond: MEBIBYTE }, clock);
  const writer = await writerOf(path);
  const [{ id }, writingMs] = await timed(clock, commitFile(writer, content));
  await writer.close();
  expect(writingMs).toBeGreaterThan(3_500);
  expect(writingMs).toBeLessThan(6_000);
  const reader = await openReader(path);
  unlimit = limitBandwidth({ readBytesPerSecond: MEBIBYTE, writeBytesPerSecond: 0 }, clock);
  const [read, readingMs] = await timed(clock, fileOf(reader, id));
  expect(read.equals(content)).toBe(true);
  expect(readingMs).toBeGreaterThan(3_000);
  expect(readingMs).toBeLessThan(8_000);
  unlimit();
  expect((await timed(clock, fileOf(reader, id)))[1]).toBe(0);
  reader.close();
});
