import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSettings } from './load-settings.ts';
import { isSubDaily, scheduleDefinitions } from './resolve-schedules.ts';
import type { Settings } from './settings.ts';
import { testSource } from './testing/settings.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-schedules-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function load(source: object, rest: object = {}): Promise<Settings> {
  const file = join(directory, 'holdfast.json');
  const document = {
    stateDirectory: join(directory, 'state'),
    ...rest,
    sources: [{ name: 'app', roots: ['/srv/app'], ...source }],
  };
  await writeFile(file, JSON.stringify(document));
  return loadSettings({}, { HOME: directory, HOLDFAST_CONFIG: file });
}

const kinds = (settings: Settings): string[] =>
  scheduleDefinitions(settings).map(({ sourceId, kind }) => `${sourceId ?? 'repository'}/${kind}`);

describe('schedules of the configuration', () => {
  it('Z-07: without any, a backup every 6 hours and a check every week', async () => {
    const settings = await load({});
    expect(kinds(settings)).toEqual(['repository/check', 'app/backup']);
    expect(scheduleDefinitions(settings)).toMatchObject([
      { trigger: { intervalMs: 7 * DAY_MS }, catchUp: 'none' },
      { trigger: { intervalMs: 6 * HOUR_MS }, catchUp: 'one', jitterMs: 0, overlap: 'skip' },
    ]);
  });

  it('F43, M-44: with a retention, a daily forget and a weekly prune as well', async () => {
    const settings = await load({ retention: { keepDaily: 7 } });
    expect(settings.schedules).toMatchObject([
      { id: 'forget', trigger: { intervalMs: DAY_MS }, catchUp: 'none' },
      { id: 'prune', trigger: { intervalMs: 7 * DAY_MS }, catchUp: 'none' },
      { id: 'check', trigger: { intervalMs: 7 * DAY_MS }, catchUp: 'none' },
    ]);
    expect(kinds(await load({ retention: { keepDaily: 7 } }, { schedules: [] }))).toEqual([
      'app/backup',
    ]);
    const own = await load({}, { schedules: [{ kind: 'prune', trigger: '0 4 1 * *' }] });
    expect(own.schedules).toMatchObject([{ kind: 'prune', trigger: { type: 'cron' } }]);
  });

  it('T-46: a duration or a cron expression may stand for the whole trigger', async () => {
    const settings = await load({
      schedules: [{ trigger: '90m' }, { id: 'night', trigger: '0 3 * * *' }],
    });
    expect(settings.sources[0]!.schedules).toMatchObject([
      { id: 'backup', trigger: { type: 'interval', intervalMs: 90 * 60_000 } },
      { id: 'night', trigger: { type: 'cron', expression: '0 3 * * *' } },
    ]);
  });

  it.each([
    ['Z-07: no time between two runs', [{ trigger: '0s' }], /between 1s/],
    ['a text that means nothing', [{ trigger: 'often' }], /cron/],
    ['more jitter than interval', [{ trigger: '1m', jitterMs: '2m' }], /jitterMs/],
  ])('refuses %s', async (_what, schedules, message) => {
    await expect(load({ schedules })).rejects.toThrow(message);
  });

  it('refuses a backup of the repository as a whole, and suggests names', async () => {
    await expect(load({}, { schedules: [{ trigger: '1h' }] })).rejects.toThrow(/needs one/);
    await expect(load({}, { schedules: [{ kind: 'prune', every: '1h' }] })).rejects.toThrow(
      /schedules\[0\].every/,
    );
  });

  it('F44: retries are three runs, 10 to 30 minutes apart, unless they are told otherwise', async () => {
    expect((await load({})).sources[0]!.retry).toEqual({
      maxAttempts: 3,
      backoffMs: 600_000,
      backoffMaxMs: 1_800_000,
    });
    const told = await load({ retry: { maxAttempts: 1, backoffMs: '1s' } });
    expect(told.sources[0]!.retry).toMatchObject({ maxAttempts: 1, backoffMs: 1_000 });
    await expect(load({ retry: { maxAttempts: 0 } })).rejects.toThrow(/maxAttempts/);
  });

  it('M-48: knows whether a source is captured more often than once a day', async () => {
    const daily = testSource({ id: 'app' });
    const answer = async (trigger: string | null) => {
      const schedules = trigger === null ? [] : [{ trigger }];
      return isSubDaily(daily, scheduleDefinitions(await load({ schedules })));
    };
    expect(await answer('6h')).toBe(true);
    expect(await answer('24h')).toBe(false);
    expect(await answer('0 3 * * *')).toBe(false);
    expect(await answer('0 3,15 * * *')).toBe(true);
    expect(await answer('30 0 */6 * * *')).toBe(true);
    expect(await answer(null)).toBe(false);
    expect(isSubDaily({ ...daily, watch: { ...daily.watch, enabled: true } }, [])).toBe(true);
  });
});
