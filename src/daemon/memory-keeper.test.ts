import { getHeapSpaceStatistics } from 'node:v8';
import { beforeEach, describe, expect, it } from 'vitest';
import type { JobEvent } from '../jobs/job-events.ts';
import { ManualClock } from '../jobs/testing/manual-clock.ts';
import { silentLogger } from '../kernel/logger.ts';
import { collectGarbage, MemoryKeeper, QUIET_MS } from './memory-keeper.ts';

let clock: ManualClock;
let collected: number;
let busy: number;
let young: number;
let keeper: MemoryKeeper;

beforeEach(() => {
  clock = new ManualClock();
  collected = 0;
  busy = 0;
  young = 16e6;
  keeper = new MemoryKeeper({
    clock,
    logger: silentLogger,
    busyCount: () => busy,
    youngBytes: () => young,
    collect: async () => {
      collected += 1;
    },
  });
});

const jobEnds = (): void =>
  keeper.receive({
    type: 'job.changed',
    sequence: 1,
    job: { finishedAt: '2026-01-02T03:04:05.000Z' },
  } as JobEvent);

describe('memory that work has left empty', () => {
  it('is given back once after boot, and then nothing wakes the daemon for it', async () => {
    await keeper.start();
    clock.advance(QUIET_MS);
    expect(collected).toBe(1);
    clock.advance(86_400_000);
    expect(collected).toBe(1);
  });

  it('is given back once after several jobs', async () => {
    await keeper.start();
    for (let job = 0; job < 3; job++) {
      clock.advance(QUIET_MS / 2);
      jobEnds();
    }
    expect(collected).toBe(0);
    clock.advance(QUIET_MS);
    expect(collected).toBe(1);
  });

  it('is left alone while jobs run, where there is little of it, and after the end', async () => {
    await keeper.start();
    busy = 1;
    clock.advance(QUIET_MS);
    busy = 0;
    young = 1e6;
    jobEnds();
    clock.advance(QUIET_MS);
    young = 16e6;
    jobEnds();
    await keeper.stop();
    jobEnds();
    clock.advance(QUIET_MS);
    expect(collected).toBe(0);
  });

  it('is really given back', async () => {
    const bytes = () =>
      getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')!.space_size;
    let kept: object[] | null = Array.from({ length: 300_000 }, (_, index) => ({ index }));
    const before = bytes();
    expect(kept.length).toBe(300_000);
    kept = null;
    await collectGarbage();
    expect(bytes()).toBeLessThan(before);
  });
});
