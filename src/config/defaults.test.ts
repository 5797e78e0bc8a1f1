import { join } from 'node:path';
import { expect, it } from 'vitest';
import { configurationSchema } from './options.ts';
import { resolveSettings } from './resolve-settings.ts';

/** What holds where nothing is said. */

const HOUR_MS = 3_600_000;

async function settingsOf(source: Record<string, unknown> = {}) {
  const value = { sources: [{ name: 'app', roots: ['/srv/app'], ...source }] };
  return resolveSettings({
    document: { value, locate: () => null },
    origin: 'test.yaml',
    overrides: new Map(),
    watch: true,
    env: { HOME: '/home/somebody' },
  });
}

const sourceOf = async (source: Record<string, unknown> = {}) =>
  (await settingsOf(source)).sources[0]!;

it('Z-02, Z-06, Z-07, F-03: a backup every 6 hours, by a schedule that can be replaced or turned off', async () => {
  const { schedules } = await sourceOf();
  expect(schedules).toMatchObject([
    { kind: 'backup', trigger: { type: 'interval', intervalMs: 6 * HOUR_MS }, enabled: true },
  ]);
  const daily = { trigger: { type: 'interval', intervalMs: '24h' } };
  expect((await sourceOf({ schedules: [daily] })).schedules).toMatchObject([
    { trigger: { intervalMs: 24 * HOUR_MS } },
  ]);
  expect((await sourceOf({ schedules: [] })).schedules).toEqual([]);
});

it('Z-03, F-03: nothing is removed by age or count unless it is asked for', async () => {
  expect((await sourceOf()).retention).toBeNull();
  expect((await sourceOf({ retention: { maxAgeMs: '7d' } })).retention).toMatchObject({
    maxAgeMs: 7 * 24 * HOUR_MS,
  });
  expect((await sourceOf({ retention: { count: 10 } })).retention).toMatchObject({ keepLast: 10 });
});

it('Z-04: the repository is an absolute place of its own', async () => {
  const { repositoryDirectory, stateDirectory } = await settingsOf();
  expect(repositoryDirectory).toBe(join(stateDirectory, 'repository'));
  const relative = configurationSchema.safeParse({ repositoryDirectory: './backups' });
  expect(relative.success).toBe(false);
});

it('Z-08, Z-09, Z-10: changes are watched, polled as well, and three times say when a snapshot is due', async () => {
  const { watch } = await sourceOf();
  expect(watch).toMatchObject({ enabled: true, usePolling: false, pollMs: 60_000 });
  expect(watch.quietMs).toBeLessThan(watch.maxWaitMs);
  expect(watch.minGapMs).toBe(60_000);
  const zero = await sourceOf({ watch: { quietMs: 0, minGapMs: 0 } });
  expect(zero.watch).toMatchObject({ quietMs: 0, minGapMs: 0 });
  await expect(sourceOf({ watch: { quietMs: -1 } })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
});

it('Z-05, F10: any number of extra roots; none at all is refused', async () => {
  const extra = (name: string) => ({ class: 'extra', name, path: `/srv/${name}` });
  const { roots } = await sourceOf({ roots: ['/srv/app', extra('skills'), extra('uploads')] });
  expect(roots.map(({ name }) => name)).toEqual([null, 'skills', 'uploads']);
  await expect(sourceOf({ roots: [] })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

it('M-46: a policy that keeps nothing is refused', async () => {
  await expect(sourceOf({ retention: { keepLast: 0 } })).rejects.toMatchObject({
    code: expect.stringMatching(/^(EMPTY_POLICY|CONFIG_INVALID)$/),
  });
});

it('F56: a key is a path or a secret, not both and not neither', async () => {
  for (const key of [{ name: 'a' }, { name: 'a', path: '/k', secret: 's' }]) {
    await expect(sourceOf({ keys: [key] })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  }
  const { keys } = await sourceOf({ keys: [{ name: 'a', secret: 's' }] });
  expect(keys).toEqual([{ name: 'a', path: null, secret: 's' }]);
});
