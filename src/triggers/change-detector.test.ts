import { describe, expect, it } from 'vitest';
import { FingerprintReader, SlowPoll } from './change-detector.ts';
import { FakeClock } from './testing/fake-clock.ts';

describe('FingerprintReader', () => {
  it('reads one at a time, and never answers with what was read before the question', async () => {
    let value = 0;
    let reading = 0;
    let readings = 0;
    const releases: (() => void)[] = [];
    const reader = new FingerprintReader(async () => {
      reading += 1;
      readings += 1;
      expect(reading).toBe(1);
      const seen = value;
      await new Promise<void>((resolve) => releases.push(resolve));
      reading -= 1;
      return String(seen);
    });
    const first = reader.read();
    value = 1;
    const [second, third] = [reader.read(), reader.read()];
    releases.shift()!();
    expect(await first).toBe('0');
    await expect.poll(() => releases.length).toBe(1);
    releases.shift()!();
    expect(await Promise.all([second, third])).toEqual(['1', '1']);
    expect(readings).toBe(2);
  });

  it('a failed reading fails its callers and no later one', async () => {
    let fails = true;
    const reader = new FingerprintReader(async () => {
      if (fails) throw new Error('gone');
      return 'there';
    });
    await expect(reader.read()).rejects.toThrow('gone');
    fails = false;
    await expect(reader.read()).resolves.toBe('there');
    await reader.idle();
  });
});

describe('SlowPoll', () => {
  it('looks at once, then at intervals, and rests ten times as long as a look takes', async () => {
    const clock = new FakeClock(0);
    const looks: number[] = [];
    let tookMs = 0;
    const poll = new SlowPoll(clock, 1_000, async () => {
      looks.push(clock.monotonicMs());
      if (tookMs > 0) await new Promise<void>((resolve) => clock.after(tookMs, resolve));
    });
    poll.start();
    await clock.advance(2_500);
    expect(looks).toEqual([0, 1_000, 2_000]);
    tookMs = 500;
    await clock.advance(10_000);
    expect(looks).toEqual([0, 1_000, 2_000, 3_000, 8_500]);
    await clock.advance(500);
    await poll.stop();
    await clock.advance(60_000);
    expect(looks).toHaveLength(5);
  });
});
