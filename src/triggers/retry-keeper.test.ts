import { afterEach, describe, expect, it } from 'vitest';
import type { ErrorCode, ErrorDocument } from '../kernel/errors.ts';
import { ScheduleDesk } from './testing/schedule-desk.ts';
import { interval, sourceSettings } from './testing/source-settings.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

let desk: ScheduleDesk;

afterEach(() => desk.remove());

const failure = (code: ErrorCode): ErrorDocument => ({ code, message: 'no', retryable: false });

/** One daily backup, whose first run has failed. */
async function failed(code: ErrorCode = 'BUSY'): Promise<void> {
  desk = await ScheduleDesk.open('2026-03-27T12:00:00.000Z', [
    sourceSettings('/srv/app', {}, [interval(DAY_MS)]),
  ]);
  desk.run = () => failure(code);
  await desk.clock.advance(DAY_MS);
}

const attempts = () => desk.jobs().map(({ attempt }) => attempt);

describe('RetryKeeper', () => {
  it('F44, M-43: a scheduled run is tried again after growing waits, then abandoned', async () => {
    await failed();
    expect(desk.retries.list()).toMatchObject([
      {
        scheduleId: 'backup',
        sourceId: 'app',
        kind: 'backup',
        scheduledAt: '2026-03-28T12:00:00.000Z',
        attempt: 1,
        lastError: { code: 'BUSY', message: 'no' },
        lastJobId: desk.jobs()[0]!.id,
      },
    ]);
    await desk.clock.advance(8 * MINUTE_MS);
    expect(attempts()).toEqual([1]);
    await desk.clock.advance(4 * MINUTE_MS);
    expect(attempts()).toEqual([1, 2]);
    await desk.clock.advance(15 * MINUTE_MS);
    expect(attempts()).toEqual([1, 2]);
    await desk.clock.advance(10 * MINUTE_MS);
    expect(attempts()).toEqual([1, 2, 3]);
    expect(desk.retries.list()).toEqual([]);
    expect(desk.abandoned).toMatchObject([{ attempt: 3, reason: '3 of 3 runs failed' }]);
    // All of them are for the one tick; the next tick begins anew.
    expect(new Set(desk.ticks())).toEqual(new Set(['03-28T12:00']));
    await desk.clock.advance(DAY_MS - 30 * MINUTE_MS);
    expect(attempts()).toEqual([1, 2, 3, 1]);
  });

  it('what waits outlives the daemon, and what was due meanwhile is tried at its start', async () => {
    await failed();
    await desk.restart(HOUR_MS);
    expect(attempts()).toEqual([1, 2]);
    expect(desk.retries.list()).toMatchObject([{ attempt: 2 }]);
    const [pending] = desk.retries.list();
    await desk.restart(MINUTE_MS);
    expect(desk.retries.list()).toEqual([pending]);
  });

  it('a run that the end of the daemon interrupted is tried again', async () => {
    await failed();
    desk.run = () => new Promise(() => {});
    await desk.clock.advance(12 * MINUTE_MS);
    expect(desk.jobs().map(({ status }) => status)).toEqual(['failed', 'running']);
    // As a power cut leaves it: nothing was told to stop.
    desk.state.connection.exec("UPDATE jobs SET workerPid = NULL WHERE status = 'running'");
    desk.queue.stop = async () => {};
    await desk.restart(MINUTE_MS);
    expect(desk.jobs().map(({ error }) => error?.code)).toEqual(['BUSY', 'INTERRUPTED']);
    expect(desk.retries.list()).toMatchObject([{ attempt: 2, lastError: { code: 'INTERRUPTED' } }]);
  });

  it('a newer good run of the source, whoever asked for it, needs no second try of the old one', async () => {
    await failed();
    desk.run = () => null;
    desk.queue.submit({
      kind: 'backup',
      sourceId: 'app',
      params: {},
      actor: 'user',
      mutating: true,
    });
    await desk.clock.advance(0);
    expect(desk.retries.list()).toEqual([]);
    await desk.clock.advance(HOUR_MS);
    expect(desk.jobs()).toHaveLength(2);
  });

  it('(55): runs that a person or a change asked for are not its affair', async () => {
    await failed();
    desk.retries.drop({ sourceId: 'app', scheduleId: 'backup' });
    for (const actor of ['user', 'change'] as const) {
      desk.queue.submit({ kind: 'backup', sourceId: 'app', params: {}, actor, mutating: true });
      await desk.clock.advance(0);
    }
    expect(desk.retries.list()).toEqual([]);
    expect(desk.abandoned).toEqual([]);
  });

  it.each([
    ['its schedule is off', () => desk.set.update({ scheduleId: 'backup' }, { enabled: false })],
    ['its schedule is paused', () => desk.set.setPaused(null, true)],
    ['its schedule is no longer there', () => desk.set.replace([])],
    [
      'its source is no longer there',
      () => {
        desk.set.update({ scheduleId: 'backup' }, {});
        return desk.live.replace({ ...desk.live.current, sources: [] });
      },
    ],
    [
      'its schedule is off',
      () => {
        const [app] = desk.live.current.sources;
        return desk.live.replace({ ...desk.live.current, sources: [{ ...app!, enabled: false }] });
      },
    ],
  ])('M-43: looked up before each try: abandoned where %s', async (reason, change) => {
    await failed();
    await change();
    await desk.clock.advance(12 * MINUTE_MS);
    expect(desk.jobs()).toHaveLength(1);
    expect(desk.retries.list()).toEqual([]);
    expect(desk.abandoned).toMatchObject([{ scheduleId: 'backup', attempt: 1, reason }]);
  });

  it('what does not pass by itself is not tried again, and said so', async () => {
    await failed('SOURCE_CORRUPT');
    expect(desk.retries.list()).toEqual([]);
    expect(desk.abandoned).toMatchObject([{ reason: 'SOURCE_CORRUPT does not pass by itself' }]);
  });

  it('a full queue at the time of a try loses nothing', async () => {
    await failed();
    desk.refusal = new Error('queue full');
    await desk.clock.advance(15 * MINUTE_MS);
    expect(desk.retries.list()).toMatchObject([{ attempt: 1 }]);
    desk.refusal = null;
    await desk.clock.advance(MINUTE_MS);
    expect(attempts()).toEqual([1, 2]);
  });

  it('a clock set back does not make a try wait for days', async () => {
    await failed();
    desk.clock.setWall(desk.clock.nowMs() - 12 * HOUR_MS);
    await desk.clock.advance(MINUTE_MS);
    expect(attempts()).toEqual([1, 2]);
  });

  it('a cancelled run is not tried again; dropping what is not there is NOT_FOUND', async () => {
    await failed('CANCELLED');
    expect(desk.retries.list()).toEqual([]);
    expect(() => desk.retries.drop({ sourceId: 'app', scheduleId: 'backup' })).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
  });
});
