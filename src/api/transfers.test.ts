import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import type { MethodParams } from '../protocol/method-map.ts';
import { initRepository } from '../store/repository.ts';
import { commitFile, writerOf } from '../store/testing/scratch-repository.ts';
import { ApiFixture } from './testing/api-fixture.ts';

let fixture: ApiFixture;
let snapshotId: string;

beforeEach(async () => {
  fixture = await ApiFixture.create();
  const path = fixture.settings.repositoryDirectory;
  await initRepository(path, { clock: systemClock });
  const writer = await writerOf(path);
  snapshotId = (await commitFile(writer, Buffer.from('content'), null, 1)).id;
  await writer.close();
});
afterEach(() => fixture.remove());

const sourceId = (): string => fixture.settings.sources[0]!.id;
const confirm = (): string => fixture.settings.sources[0]!.name;

describe('exports over the socket', () => {
  it('F22: are jobs of the snapshot that is meant now; one that is taken first changes the repository', async () => {
    const part = { snapshotId: snapshotId.slice(0, 8), format: 'zip', to: '/x/a.zip' } as const;
    const { job } = await fixture.ask('snapshot.export', { ...part, paths: ['data/a'] });
    expect(job).toMatchObject({
      ...{ kind: 'export', mutating: false, sourceId: 'source-1' },
      params: {
        snapshotId,
        format: 'zip',
        paths: ['data/a'],
        to: { type: 'file', path: '/x/a.zip' },
      },
    });
    const to = { type: 'socket', path: '/run/x/s' } as const;
    const taken = await fixture.ask('snapshot.export', { sourceId: confirm(), format: 'db', to });
    expect(taken.job).toMatchObject({
      ...{ mutating: true, sourceId: sourceId() },
      params: { sourceId: sourceId(), format: 'db', to },
    });
  });

  it('F17, T-19: tables are listed, or all of them are meant', async () => {
    const params = { snapshotId, to: '/x/a.jsonl' };
    const { job } = await fixture.ask('table.export', { ...params, all: true, plain: false });
    expect(job.params).toMatchObject({ snapshotId, format: 'jsonl' });
    expect(job.params).not.toHaveProperty('all');
    const named = await fixture.ask('table.export', { ...params, tables: ['a'] });
    expect(named.job.params).toMatchObject({ tables: ['a'] });
  });

  it.each<[string, MethodParams<'snapshot.export'>]>([
    ['nothing is named', { format: 'db', to: '/x' }],
    ['the place is relative', { snapshotId: 'latest', format: 'db', to: 'x' }],
    ['the format is none', { snapshotId: 'latest', format: 'rar' as 'zip', to: '/x' }],
    [
      'the socket has no address',
      { snapshotId: 'latest', format: 'db', to: { type: 'socket', path: `/${'x'.repeat(103)}` } },
    ],
  ])('are refused where %s', async (_why, params) => {
    await expect(fixture.client.call('snapshot.export', params)).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
    await expect(
      fixture.client.call('table.export', { snapshotId: 'latest', to: '/x' }),
    ).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
  });
});

describe('imports over the socket', () => {
  it('F17, C-02: name the source that they change; a dry run and a snapshot change none', async () => {
    const into = { sourceId: sourceId(), database: 'data/app.db', from: '/x/f' };
    await expect(fixture.client.call('database.import', into)).rejects.toMatchObject({
      code: 'CONFIRMATION_REQUIRED',
    });
    const rows = { ...into, mode: 'upsert' } as const;
    await expect(
      fixture.client.call('table.import', { ...rows, confirm: 'another' }),
    ).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' });
    const { job } = await fixture.ask('table.import', { ...rows, confirm: confirm() });
    expect(job).toMatchObject({
      ...{ kind: 'import', mutating: true, sourceId: sourceId() },
      params: { into: 'tables', mode: 'upsert', from: '/x/f', database: 'data/app.db' },
    });
    expect(job.params).not.toHaveProperty('confirm');
    const tried = await fixture.ask('database.import', { ...into, dryRun: true });
    expect(tried.job).toMatchObject({
      mutating: false,
      params: { into: 'database', dryRun: true },
    });
    const archive = { sourceId: sourceId(), from: '/x/a.zip', under: 'data/new' };
    const snapshot = await fixture.ask('snapshot.import', archive);
    expect(snapshot.job).toMatchObject({
      mutating: true,
      params: { into: 'snapshot', under: 'data/new' },
    });
  });
});
