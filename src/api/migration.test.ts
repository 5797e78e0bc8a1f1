import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MigrationHistory } from '../migrations/migration-history.ts';
import { ApiFixture } from './testing/api-fixture.ts';

let fixture: ApiFixture;
beforeEach(async () => {
  fixture = await ApiFixture.create();
});
afterEach(() => fixture.remove());

async function writeRows(count: number): Promise<void> {
  const history = await MigrationHistory.open(fixture.settings.stateDirectory, () => {});
  for (let index = 1; index <= count; index += 1) {
    const sequence = history.begin({
      sourceId: index % 2 === 0 ? 'alpha' : 'beta',
      database: 'data/app.db',
      version: `${index}.0.0`,
      name: 'x',
      checksum: 'c',
      direction: 'up',
      leadsTo: `${index}.0.0`,
      purpose: 'migrate',
      jobId: 'job',
      startedAt: index * 1000,
    });
    if (index > 1) history.finish(sequence, index * 1000 + 5, index === 2 ? 'it failed' : null);
  }
  history.settle('job', 'data/app.db', true);
  history.close();
}

describe('migrations over the socket', () => {
  it('Z-33, Z-80, F36: the history has one row for each attempt, newest first, in pages, of one source or all', async () => {
    expect(await fixture.client.call('migration.history', {})).toEqual({
      items: [],
      nextCursor: null,
    });
    await writeRows(5);
    const first = await fixture.client.call('migration.history', { limit: 2 });
    expect(first.items.map(({ version }) => version)).toEqual(['5.0.0', '4.0.0']);
    const rest = await fixture.client.call('migration.history', {
      limit: 3,
      cursor: first.nextCursor,
    });
    expect(rest.nextCursor).toBeNull();
    expect(rest.items).toMatchObject([
      { version: '3.0.0', success: true, error: null, finishedAt: '1970-01-01T00:00:03.005Z' },
      { version: '2.0.0', success: false, error: 'it failed', installed: true },
      { version: '1.0.0', success: null, finishedAt: null },
    ]);
    const beta = await fixture.client.call('migration.history', { sourceId: 'beta name' });
    expect(beta.items.map(({ version }) => version)).toEqual(['5.0.0', '3.0.0', '1.0.0']);
  });

  it('F36: whoever changes a database says whose; a dry run and looking change nothing', async () => {
    for (const confirm of [undefined, 'beta']) {
      await expect(
        fixture.client.call('migration.down', { sourceId: 'alpha', target: '1.0.0', confirm }),
      ).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' });
    }
    await expect(fixture.client.call('migration.up', {})).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
    const up = await fixture.client.call('migration.up', {
      sourceId: 'alpha',
      confirm: 'alpha name',
    });
    expect(up.job).toMatchObject({ kind: 'migrate', sourceId: 'alpha', mutating: true });
    expect(up.job.params).toEqual({ action: 'up', sourceId: 'alpha' });
    const dry = await fixture.client.call('migration.up', { sourceId: 'alpha', dryRun: true });
    expect(dry.job.mutating).toBe(false);
    const status = await fixture.client.call('migration.status', {});
    expect(status.job).toMatchObject({ mutating: false, params: { action: 'status' } });
    await expect(
      fixture.client.call('migration.up', { sourceId: 'alpha', target: 'one' }),
    ).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
  });
});
