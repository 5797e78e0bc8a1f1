import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ScheduleDesk } from './testing/schedule-desk.ts';
import { interval, sourceSettings } from './testing/source-settings.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let desk: ScheduleDesk;

beforeEach(async () => {
  desk = await ScheduleDesk.open('2026-03-27T12:00:00.000Z', [
    sourceSettings('/srv/app', {}, [interval(HOUR_MS)]),
    { ...sourceSettings('/srv/shop', {}, [interval(HOUR_MS)]), id: 'shop', name: 'The shop' },
  ]);
});

afterEach(() => desk.remove());

const ids = (): string[] =>
  desk.set.record.schedules.map(({ sourceId, id }) => `${sourceId ?? 'repository'}/${id}`);

describe('ScheduleSet', () => {
  it('begins with the schedules of the configuration, as version 1, and follows it', async () => {
    expect(desk.set.acknowledgement()).toEqual({
      version: 1,
      origin: 'configuration',
      paused: false,
      appliedVersion: 1,
      appliedAt: '2026-03-27T12:00:00.000Z',
      applied: 2,
      rejected: [],
    });
    await desk.restart();
    expect(desk.set.record.version).toBe(1);
    const [app] = desk.live.current.sources;
    await desk.live.replace({ ...desk.live.current, sources: [app!] });
    expect(desk.set.acknowledgement()).toMatchObject({ version: 2, applied: 1 });
  });

  it('M-29, M-31: a set replaces all there was, until it is reset, also over a restart', async () => {
    const acknowledgement = desk.set.replace([
      { sourceId: 'The shop', trigger: '2h' },
      { id: 'weekly', kind: 'check', trigger: '0 4 * * 0' },
    ]);
    expect(acknowledgement).toMatchObject({ version: 2, origin: 'rpc', applied: 2, rejected: [] });
    expect(ids()).toEqual(['shop/backup', 'repository/weekly']);
    expect(desk.set.record.schedules).toMatchObject([
      { catchUp: 'one', trigger: { type: 'interval', intervalMs: 2 * HOUR_MS } },
      { catchUp: 'none', trigger: { type: 'cron', expression: '0 4 * * 0' } },
    ]);
    await desk.restart();
    expect(ids()).toEqual(['shop/backup', 'repository/weekly']);
    await desk.clock.advance(2 * HOUR_MS);
    expect(desk.jobs()).toMatchObject([{ sourceId: 'shop' }]);
    expect(desk.set.reset()).toMatchObject({ version: 3, origin: 'configuration' });
    expect(ids()).toEqual(['app/backup', 'shop/backup']);
  });

  it('M-31, T-D10: an empty set turns everything off, and still does after a restart', async () => {
    expect(desk.set.replace([])).toMatchObject({ version: 2, applied: 0 });
    await desk.clock.advance(DAY_MS);
    await desk.restart(DAY_MS);
    await desk.clock.advance(DAY_MS);
    expect(desk.jobs()).toEqual([]);
    expect(desk.set.acknowledgement()).toMatchObject({ version: 2, origin: 'rpc', applied: 0 });
  });

  it('M-D4, M-45, M-46: one bad schedule rejects the whole set, naming each; the old one keeps firing', async () => {
    const given = [
      { id: 'fine', sourceId: 'app', trigger: '1h' },
      { id: 'bad', sourceId: 'app', trigger: '61 * * * *' },
      { id: 'homeless', trigger: '1h' },
      { id: 'lost', sourceId: 'nobody', trigger: '1h' },
      { id: 'fine', sourceId: 'app', trigger: '2h' },
      { id: 'fast', sourceId: 'app', trigger: '1m', jitterMs: '5m' },
    ];
    expect(() => desk.set.replace(given)).toThrow(
      expect.objectContaining({
        code: 'INVALID_CRON',
        details: {
          problems: [
            { index: 1, scheduleId: 'bad', message: expect.stringContaining('cron') },
            { index: 2, scheduleId: 'homeless', message: expect.stringContaining('source') },
            { index: 3, scheduleId: 'lost', message: expect.stringContaining('nobody') },
            { index: 4, scheduleId: 'fine', message: expect.stringContaining('second') },
            { index: 5, scheduleId: 'fast', message: expect.stringContaining('jitterMs') },
          ],
        },
      }),
    );
    expect(desk.set.record.version).toBe(1);
    await desk.clock.advance(HOUR_MS);
    expect(desk.jobs()).toHaveLength(2);
  });

  it('T-46: an interval that is no time at all, or no text that means one, is refused', () => {
    for (const trigger of ['0s', '-1h', '', 'soon', { type: 'interval', intervalMs: 0 }]) {
      expect(() => desk.set.add({ id: 'x', sourceId: 'app', trigger })).toThrow(/Cannot set/);
    }
    expect(desk.set.record.version).toBe(1);
  });

  it('M-31: add, update and remove raise the version, each by one; the kind stays', () => {
    const added = desk.set.add({ id: 'night', sourceId: 'app', trigger: '0 3 * * *' });
    expect(added).toMatchObject({ version: 2, origin: 'rpc', applied: 3 });
    expect(() => desk.set.add({ id: 'night', sourceId: 'app', trigger: '1h' })).toThrow(
      expect.objectContaining({ code: 'INVALID_PARAMS' }),
    );
    expect(desk.set.update({ scheduleId: 'night' }, { trigger: '6h' }).version).toBe(3);
    expect(desk.set.record.schedules[2]).toMatchObject({
      id: 'night',
      trigger: { type: 'interval', intervalMs: 6 * HOUR_MS },
    });
    expect(desk.set.remove({ scheduleId: 'night' }).version).toBe(4);
    expect(ids()).toEqual(['app/backup', 'shop/backup']);
  });

  it('a stale version changes nothing', () => {
    desk.set.add({ id: 'night', sourceId: 'app', trigger: '0 3 * * *' }, 1);
    expect(() => desk.set.replace([], 1)).toThrow(
      expect.objectContaining({ code: 'VERSION_CONFLICT', details: { expected: 1, version: 2 } }),
    );
    expect(desk.set.record.schedules).toHaveLength(3);
  });

  it('a schedule is found by its id, and by its source where several have that id', () => {
    expect(() => desk.set.remove({ scheduleId: 'backup' })).toThrow(
      expect.objectContaining({ code: 'AMBIGUOUS_ID' }),
    );
    desk.set.remove({ scheduleId: 'backup', sourceId: 'The shop' });
    expect(ids()).toEqual(['app/backup']);
    expect(() => desk.set.remove({ scheduleId: 'backup', sourceId: 'shop' })).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
  });

  it('M-32: each change is acknowledged once it is in force: the version, the time, what is left out', async () => {
    await desk.stopDaemon();
    await desk.startDaemon({ armed: false });
    desk.set.replace([{ sourceId: 'shop', trigger: '1h' }]);
    // Not ready yet: what is wanted and what is in force differ.
    expect(desk.set.acknowledgement()).toMatchObject({ version: 2, appliedVersion: 1, applied: 0 });
    desk.acknowledgements.length = 0;
    await desk.set.start();
    await desk.retries.start();
    const [app] = desk.live.current.sources;
    await desk.live.replace({ ...desk.live.current, sources: [app!] });
    expect(desk.acknowledgements).toMatchObject([
      { version: 2, appliedVersion: 2, applied: 1, rejected: [] },
      {
        version: 2,
        appliedVersion: 2,
        applied: 0,
        rejected: [
          { scheduleId: 'backup', sourceId: 'shop', reason: 'its source is no longer there' },
        ],
      },
    ]);
    expect(desk.set.acknowledgement()).toEqual(desk.acknowledgements[1]);
  });

  it('Z-62: what is paused does not run, also after a restart; resumed, nothing is made up for', async () => {
    desk.set.setPaused({ scheduleId: 'backup', sourceId: 'app' }, true);
    await desk.restart(DAY_MS);
    await desk.clock.advance(2 * HOUR_MS);
    expect(new Set(desk.jobs().map(({ sourceId }) => sourceId))).toEqual(new Set(['shop']));
    expect(desk.nextDue('backup')).toBeNull();
    desk.set.setPaused({ scheduleId: 'backup', sourceId: 'app' }, false);
    await desk.clock.advance(0);
    expect(desk.jobs().some(({ sourceId }) => sourceId === 'app')).toBe(false);
    await desk.clock.advance(HOUR_MS);
    expect(desk.jobs().some(({ sourceId }) => sourceId === 'app')).toBe(true);
  });

  it('Z-62: all can be paused at once, twice over, without touching the set', async () => {
    desk.set.setPaused(null, true);
    expect(desk.set.setPaused(null, true)).toMatchObject({ version: 1, paused: true, applied: 0 });
    await desk.restart(DAY_MS);
    await desk.clock.advance(DAY_MS);
    expect(desk.jobs()).toEqual([]);
    expect(desk.set.setPaused(null, false)).toMatchObject({ paused: false, applied: 2 });
  });

  it('F-11, M-45: a change leaves the job under way alone, and the due times of what did not change', async () => {
    let end = (): void => {};
    const held = new Promise<null>((resolve) => {
      end = () => resolve(null);
    });
    desk.run = () => held;
    await desk.clock.advance(90 * 60_000);
    const [running] = desk.jobs().filter(({ status }) => status === 'running');
    const due = desk.nextDue('backup', 'shop');
    desk.set.update({ scheduleId: 'backup', sourceId: 'app' }, { trigger: '5h' });
    expect(desk.queue.get(running!.id).status).toBe('running');
    expect(desk.nextDue('backup', 'shop')).toBe(due);
    expect(desk.nextDue('backup', 'app')).toBe('2026-03-27T18:30:00.000Z');
    end();
  });

  it('(58): a source that is renamed keeps its schedules and their due times', async () => {
    const before = desk.nextDue('backup', 'shop');
    const sources = desk.live.current.sources.map((source) => ({
      ...source,
      name: `${source.id} 2`,
    }));
    await desk.clock.advance(HOUR_MS / 2);
    await desk.live.replace({ ...desk.live.current, sources });
    expect(desk.nextDue('backup', 'shop')).toBe(before);
    expect(desk.set.record.version).toBe(1);
    desk.set.update({ scheduleId: 'backup', sourceId: 'shop 2' }, { trigger: '2h' });
    expect(ids()).toEqual(['app/backup', 'shop/backup']);
  });

  it('what is turned off never runs, and goes on from now when it is turned on', async () => {
    desk.set.update({ scheduleId: 'backup', sourceId: 'app' }, { enabled: false });
    await desk.clock.advance(DAY_MS);
    expect(desk.jobs().every(({ sourceId }) => sourceId === 'shop')).toBe(true);
    desk.set.update({ scheduleId: 'backup', sourceId: 'app' }, { enabled: true });
    expect(desk.nextDue('backup', 'app')).toBe('2026-03-28T13:00:00.000Z');
  });
});
