import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quarantineFamilyByCopy } from '../files/quarantine/quarantine.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { newId } from '../kernel/ids.ts';
import { writeReport } from '../recovery/report-store.ts';
import { ApiFixture } from './testing/api-fixture.ts';

let fixture: ApiFixture;

beforeEach(async () => {
  fixture = await ApiFixture.create();
});

afterEach(() => fixture.remove());

async function quarantine(sourceId: string): Promise<string> {
  const target = join(fixture.directory, 'damaged', 'app.db');
  await mkdir(join(target, '..'), { recursive: true });
  await writeFile(target, 'main');
  await writeFile(`${target}-wal`, 'wal');
  const request = {
    stateDirectory: fixture.settings.stateDirectory,
    target,
    reason: 'recovery' as const,
    jobId: null,
    sourceId,
    note: 'damaged',
  };
  return (await quarantineFamilyByCopy(request, systemClock, quietActivity())).id;
}

describe('recovery over the socket', () => {
  it('lists and shows reports, newest first, of one source or all', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      const atMs = Date.UTC(2026, 0, 1) + index * 1000;
      const id = newId(atMs);
      ids.unshift(id);
      await writeReport(fixture.settings.stateDirectory, {
        id,
        at: new Date(atMs).toISOString(),
        jobId: null,
        sourceId: index % 2 === 0 ? 'alpha' : 'beta',
        database: '/srv/app.db',
        state: 'recovered',
        reason: 'it was rebuilt',
        dryRun: false,
        cause: ['row 5 missing from index'],
        refusal: null,
        salvage: null,
        rung: 'reindex',
        candidates: [],
        rows: [],
        snapshot: null,
        quarantineId: null,
        durationMs: 12,
      });
    }
    const first = await fixture.ask('recovery.reports', { limit: 3 });
    const rest = await fixture.ask('recovery.reports', { limit: 3, cursor: first.nextCursor });
    expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(ids);
    expect(rest.nextCursor).toBeNull();
    const beta = await fixture.ask('recovery.reports', { sourceId: 'beta name' });
    expect(beta.items).toHaveLength(2);
    expect(await fixture.ask('recovery.get', { id: ids[0]! })).toMatchObject({ rung: 'reindex' });
    await expect(
      fixture.client.call('recovery.get', { id: newId(Date.now()) }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(
      fixture.client.call('recovery.get', { id: '../../state/state' }),
    ).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
  });

  it('F34: lists quarantined families, brings one back elsewhere, and purges', async () => {
    const first = await quarantine('alpha');
    const second = await quarantine('beta');
    const { items } = await fixture.ask('recovery.quarantineList', {});
    expect(items.map(({ id }) => id)).toEqual([second, first]);
    expect(items[0]).toMatchObject({ note: 'damaged', bytes: 7, itemCount: 1 });
    expect(await fixture.ask('recovery.quarantineGet', { id: second })).toEqual(items[0]);
    // Within the hour nothing expires, whatever the bounds.
    expect(await fixture.ask('recovery.quarantinePurge', { policy: true })).toEqual({ purged: [] });
    const directory = join(fixture.directory, 'back');
    const restored = await fixture.ask('recovery.quarantineRestore', { id: first, directory });
    expect(restored.files.map((file) => file.slice(directory.length + 1)).sort()).toEqual([
      'app.db',
      'app.db-wal',
    ]);
    expect(await readFile(join(directory, 'app.db'), 'utf8')).toBe('main');
    expect(await fixture.ask('recovery.quarantinePurge', { id: first })).toEqual({
      purged: [first],
    });
    const old = await fixture.ask('recovery.quarantinePurge', { olderThanMs: 3_600_000 });
    expect(old.purged).toEqual([]);
    expect((await fixture.ask('recovery.quarantinePurge', { olderThanMs: 0 })).purged).toEqual([
      second,
    ]);
    expect((await fixture.ask('recovery.quarantineList', {})).items).toEqual([]);
    for (const params of [
      {},
      { id: first, olderThanMs: 0 },
      { id: first, policy: true as const },
    ]) {
      await expect(fixture.client.call('recovery.quarantinePurge', params)).rejects.toMatchObject({
        code: 'INVALID_PARAMS',
      });
    }
  });

  it('recovery.run hands on which snapshot may be used, and that a loss was agreed to', async () => {
    const params = { database: '/srv/app.db', acceptLoss: true, from: 'latest' } as const;
    const { job } = await fixture.ask('recovery.run', params);
    expect(job).toMatchObject({ kind: 'recover', mutating: true, params });
  });

  it('never brings a quarantined family back into a source or into the repository', async () => {
    const id = await quarantine('alpha');
    const root = fixture.settings.sources[0]!.roots[0]!.path;
    await mkdir(root);
    await symlink(root, join(fixture.directory, 'link'));
    const places = [
      root,
      join(root, 'deeper', 'still'),
      join(fixture.directory, 'link', 'x'),
      join(fixture.directory, 'other', '..', 'alpha'),
      fixture.settings.repositoryDirectory,
      fixture.settings.stateDirectory,
    ];
    for (const directory of places) {
      await expect(
        fixture.client.call('recovery.quarantineRestore', { id, directory }),
      ).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    }
    expect(await readdir(root)).toEqual([]);
  });
});
