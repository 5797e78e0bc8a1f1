import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventNotification } from '../protocol/method-map.ts';
import { RetryRecords } from '../state/retry-records.ts';
import { ApiFixture } from './testing/api-fixture.ts';

let fixture: ApiFixture;

beforeEach(async () => {
  fixture = await ApiFixture.create();
  await fixture.scheduleSet.start();
});
afterEach(async () => {
  await fixture.scheduleSet.stop();
  await fixture.remove();
});

describe('schedule.*', () => {
  it('F42, M-31, M-32: sets, adds, updates, removes and resets, each acknowledged with its version', async () => {
    expect(await fixture.ask('schedule.status', {})).toMatchObject({ origin: 'configuration' });
    const { version } = await fixture.ask('schedule.set', {
      schedules: [{ sourceId: 'beta name', trigger: '6h' }],
    });
    const schedule = { id: 'night', sourceId: 'alpha', trigger: '0 3 * * *' } as const;
    expect(await fixture.ask('schedule.add', { schedule, expectVersion: version })).toMatchObject({
      version: version + 1,
      appliedVersion: version + 1,
      applied: 2,
    });
    const night = { scheduleId: 'night' };
    const changes = { jitterMs: '5m', overlap: 'queue' } as const;
    await fixture.ask('schedule.update', { ...night, changes });
    expect(fixture.scheduleSet.record.schedules).toMatchObject([
      { sourceId: 'beta', trigger: { intervalMs: 21_600_000 } },
      { id: 'night', jitterMs: 300_000, overlap: 'queue', trigger: { type: 'cron' } },
    ]);
    expect(await fixture.ask('schedule.remove', night)).toMatchObject({ applied: 1 });
    expect(await fixture.ask('schedule.reset', {})).toMatchObject({
      origin: 'configuration',
      version: version + 4,
    });
  });

  it('T-D10: an empty set is a set; the version that the caller saw must still hold', async () => {
    const { version } = await fixture.ask('schedule.set', { schedules: [] });
    expect(await fixture.ask('schedule.status', {})).toMatchObject({ version, applied: 0 });
    await expect(
      fixture.client.call('schedule.set', { schedules: [], expectVersion: version - 1 }),
    ).rejects.toMatchObject({ code: 'VERSION_CONFLICT' });
  });

  it('M-46: refuses what does not fit, with the same parser that fires it', async () => {
    const set = (schedule: object) =>
      fixture.client.call('schedule.set', { schedules: [schedule as never] });
    await expect(set({ sourceId: 'alpha', trigger: '99 * * * *' })).rejects.toMatchObject({
      code: 'INVALID_CRON',
      details: { problems: [{ index: 0 }] },
    });
    await expect(set({ sourceId: 'alpha', trigger: '1h', hooks: [] })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
    await expect(
      fixture.client.call('schedule.update', {
        scheduleId: 'x',
        changes: { kind: 'check' } as never,
      }),
    ).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
  });

  it('Z-62, M-32: pauses and resumes, and tells subscribers what is in force', async () => {
    await fixture.ask('schedule.set', { schedules: [{ sourceId: 'alpha', trigger: '6h' }] });
    const events: EventNotification[] = [];
    const subscription = await fixture.client.subscribe({ types: ['schedule.applied'] });
    expect(await fixture.ask('schedule.pause', {})).toMatchObject({ paused: true, applied: 0 });
    expect(await fixture.ask('schedule.resume', {})).toMatchObject({ paused: false, applied: 1 });
    await fixture.ask('schedule.pause', { scheduleId: 'backup', sourceId: 'alpha' });
    for await (const event of subscription) {
      events.push(event);
      if (events.length === 3) break;
    }
    expect(events).toMatchObject([
      { type: 'schedule.applied', set: { paused: true, applied: 0 } },
      { type: 'schedule.applied', set: { paused: false, applied: 1 } },
      { type: 'schedule.applied', set: { paused: false, applied: 0 } },
    ]);
  });
});

describe('pending.*', () => {
  it('F44: lists what will be tried again, and drops it', async () => {
    new RetryRecords(fixture.state).put({
      sourceId: 'alpha',
      scheduleId: 'backup',
      kind: 'backup',
      dueAt: 0,
      attempt: 2,
      nextAttemptAt: 60_000,
      lastJobId: 'job',
      lastError: { code: 'BUSY', message: 'no' },
      failedAt: 1_000,
    });
    expect((await fixture.ask('pending.list', {})).items).toEqual([
      {
        sourceId: 'alpha',
        scheduleId: 'backup',
        kind: 'backup',
        scheduledAt: '1970-01-01T00:00:00.000Z',
        attempt: 2,
        nextAttemptAt: '1970-01-01T00:01:00.000Z',
        lastJobId: 'job',
        lastError: { code: 'BUSY', message: 'no' },
      },
    ]);
    const pending = { scheduleId: 'backup', sourceId: 'alpha name' };
    expect(await fixture.ask('pending.drop', pending)).toEqual({ dropped: true });
    await expect(fixture.client.call('pending.drop', pending)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
