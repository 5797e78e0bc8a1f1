import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServiceSettings, SourceSettings } from '../../config/settings.ts';
import { testSettings } from '../../config/testing/settings.ts';
import { pictureOf } from '../../files/testing/tree-picture.ts';
import { type Activity, quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import { makeDatabase, query, Workbench } from '../../recovery/testing/workbench.ts';
import { openReader } from '../../store/repository.ts';
import { backup } from '../backup.ts';
import { expandDirectory } from './parameters.ts';
import { restore } from './restore.ts';
import { startLeftServices } from './service.ts';

let bench: Workbench;
let snapshotId: string;
let warnings: string[];
beforeEach(async () => {
  bench = await Workbench.create();
  warnings = [];
  await mkdir(join(bench.state, 'scratch'));
  makeDatabase(bench.path('app.db'), { journalMode: 'wal' });
  await writeFile(bench.path('note.txt'), 'first');
  snapshotId = (await backup.run(context(), backup.params.parse({})))['snapshotId'] as string;
});
afterEach(() => bench.remove());

function context(source: Partial<SourceSettings> = {}) {
  const settings = testSettings(bench.directory, {
    stateDirectory: bench.state,
    repositoryDirectory: bench.repository,
    sources: [{ ...bench.source, ...source }],
  });
  const activity: Activity = { ...quietActivity(), warn: (message) => warnings.push(message) };
  const scratchDirectory = join(bench.state, 'scratch');
  return { activity, settings, clock: systemClock, jobId: 'job-1', scratchDirectory };
}

const run = (params: object, source: Partial<SourceSettings> = {}): Promise<any> =>
  restore.run(context(source), restore.params.parse(params));

const IN_PLACE = { target: { type: 'in-place' } };
const inPlace = (more: object = {}, source: Partial<SourceSettings> = {}): Promise<any> =>
  run({ snapshotId, ...IN_PLACE, replaceDatabases: true, ...more }, source);

/** A second state of everything. */
async function change(): Promise<void> {
  query(bench.path('app.db'), (database) =>
    database.exec('PRAGMA foreign_keys = OFF; DELETE FROM notes WHERE rowid > 300'),
  );
  await writeFile(bench.path('note.txt'), 'second');
}

const rows = (): unknown =>
  query(bench.path('app.db'), (database) =>
    database.prepare('SELECT count(*) FROM notes').pluck().get(),
  );

describe('a plan', () => {
  it('F25, M-D9: is carried out exactly by its id, and refused when anything at its targets changed', async () => {
    await change();
    const before = await pictureOf(bench.data, { times: false });
    const plan = await inPlace({ dryRun: true });
    expect(plan).toMatchObject({ overwritten: 2, dryRun: true });
    expect(await pictureOf(bench.data, { times: false })).toEqual(before);
    await writeFile(bench.path('note.txt'), 'third');
    await expect(run({ planId: plan.planId })).rejects.toMatchObject({ code: 'PLAN_CHANGED' });
    expect(readFileSync(bench.path('note.txt'), 'utf8')).toBe('third');
    const { planId } = await inPlace({ dryRun: true });
    expect(await run({ planId })).toMatchObject({ overwritten: 2, planId });
    expect(rows()).toBe(600);
    await expect(run({ planId })).rejects.toMatchObject({ code: 'PLAN_CHANGED' });
    await expect(run({ planId: 'f'.repeat(32) })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('Z-D20: of a mirror lists what goes, and leaves excluded files alone', async () => {
    await writeFile(bench.path('added.txt'), 'x');
    await writeFile(bench.path('left-out.tmp'), 'x');
    const exclude = ['data/*.tmp'];
    const plan = await inPlace({ dryRun: true, mode: 'mirror' }, { exclude });
    const deletions = plan.entries.filter((entry: { action: string }) => entry.action === 'delete');
    expect(deletions.map((entry: { logicalPath: string }) => entry.logicalPath)).toEqual([
      'data/added.txt',
    ]);
    const { preRestoreSnapshotId } = await inPlace({ mode: 'mirror' }, { exclude });
    expect((await readdir(bench.data)).sort()).toEqual(['app.db', 'left-out.tmp', 'note.txt']);
    const reader = await openReader(bench.repository);
    const manifest = await reader.readManifest(preRestoreSnapshotId);
    expect(await reader.findEntry(manifest, 'data/added.txt')).toMatchObject({ type: 'file' });
    reader.close();
  });
});

describe('where a restore goes', () => {
  it('T-D1, T-28, F30, Z-45: a database that holds something is replaced by request alone; its live state is kept in a snapshot first', async () => {
    await change();
    await expect(inPlace({ replaceDatabases: false })).rejects.toMatchObject({
      code: 'CONFIRMATION_REQUIRED',
    });
    expect(rows()).toBe(300);
    const { preRestoreSnapshotId } = await inPlace();
    expect(rows()).toBe(600);
    const out = join(bench.directory, 'out');
    await run({ snapshotId: preRestoreSnapshotId, target: { type: 'directory', path: out } });
    const kept = query(join(out, 'data', 'app.db'), (database) =>
      database.prepare('SELECT count(*) FROM notes').pluck().get(),
    );
    expect(kept).toBe(300);
    expect(readFileSync(join(out, 'data', 'note.txt'), 'utf8')).toBe('second');
  });

  it('M-49: with no place named it is a new directory of the state, otherwise absolute or in the home, and empty', async () => {
    await run({ snapshotId });
    const place = join(bench.state, 'restores', 'job-1', 'data', 'note.txt');
    expect(readFileSync(place, 'utf8')).toBe('first');
    expect(expandDirectory('~/x')).toBe(join(homedir(), 'x'));
    expect(expandDirectory('$HOME/x/')).toBe(join(homedir(), 'x'));
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as a person writes it
    expect(expandDirectory('${HOME}/x')).toBe(join(homedir(), 'x'));
    for (const path of ['x', '$OTHER/x', '$HOMELESS/x', '~other/x']) {
      expect(() => expandDirectory(path)).toThrow('not absolute');
    }
    const out = join(bench.directory, 'out');
    await mkdir(out);
    await writeFile(join(out, 'mine'), 'mine');
    const target = { type: 'directory', path: out };
    await expect(run({ snapshotId, target })).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
    await run({ snapshotId, target: { ...target, allowNonEmpty: true } });
    expect((await readdir(out)).sort()).toEqual(['data', 'mine']);
  });

  it('T-32, M-15: an unknown path or snapshot is refused before anything is written', async () => {
    const out = join(bench.directory, 'out');
    const target = { type: 'directory', path: out };
    for (const params of [{ snapshotId: 'ffffffff' }, { snapshotId, paths: ['data/nothing'] }]) {
      await expect(run({ ...params, target })).rejects.toThrow();
    }
    expect(existsSync(out)).toBe(false);
  });
});

describe('around a restore in place', () => {
  const log = (): string[] => {
    const path = join(bench.directory, 'log');
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  };
  const note = (word: string): string => `echo ${word} >> ${join(bench.directory, 'log')}`;
  const service = (more: Partial<ServiceSettings> = {}): { service: ServiceSettings } => ({
    service: {
      stop: note('stop'),
      start: note('start'),
      status: null,
      afterRestore: null,
      timeoutMs: 20_000,
      ...more,
    },
  });

  it('F04, T-49, F-14, T-31, Z-78: the application is stopped, and started when everything is in place', async () => {
    await change();
    const see = `${note('see')}; cat ${bench.path('note.txt')} >> ${join(bench.directory, 'log')}; echo >> ${join(bench.directory, 'log')}`;
    await inPlace({}, service({ afterRestore: see }));
    expect(log()).toEqual(['stop', 'see', 'first', 'start']);
    expect(await readdir(join(bench.state, 'stopped-services'))).toEqual([]);
  });

  it('T-49: one that does not run is neither stopped nor started', async () => {
    await change();
    await inPlace({}, service({ status: 'exit 1' }));
    expect(log()).toEqual([]);
    expect(rows()).toBe(600);
  });

  it('T-D20: starts it again after a failure, and does not stop it for what is refused anyway', async () => {
    await expect(inPlace({ paths: ['data/nothing'] }, service())).rejects.toThrow();
    expect(log()).toEqual([]);
    await change();
    const before = await pictureOf(bench.data, { times: false });
    const broken = service({ afterRestore: 'echo no such luck >&2; exit 7' });
    await expect(inPlace({}, broken)).rejects.toMatchObject({
      message: expect.stringContaining('the old state was put back'),
      details: { exitCode: 7, tail: 'no such luck\n' },
    });
    expect(log()).toEqual(['stop', 'start']);
    expect(await pictureOf(bench.data, { times: false })).toEqual(before);
    await expect(inPlace({}, service({ stop: 'exit 1' }))).rejects.toMatchObject({
      code: 'IO_ERROR',
    });
    expect(log()).toEqual(['stop', 'start', 'start']);
  });

  it('F-D11: puts the old state back when the application does not start on the new one', async () => {
    await change();
    const before = await pictureOf(bench.data, { times: false });
    const start = `${note('start')}; grep -q second ${bench.path('note.txt')}`;
    await expect(inPlace({}, service({ start }))).rejects.toThrow('the old state was put back');
    expect(log()).toEqual(['stop', 'start', 'stop', 'start']);
    expect(await pictureOf(bench.data, { times: false })).toEqual(before);
    expect(warnings).toEqual([]);
  });

  it('F-D11: puts the old state back when an assertion does not hold, and says which', async () => {
    await change();
    const before = await pictureOf(bench.data, { times: false });
    const assertion = { name: 'few notes', database: 'data/app.db', expect: 300 };
    const assertions = [{ ...assertion, sql: 'SELECT count(*) FROM notes' }];
    await expect(inPlace({}, { assertions })).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
      message: expect.stringContaining('"few notes"'),
    });
    expect(await pictureOf(bench.data, { times: false })).toEqual(before);
    const holding = [{ ...assertions[0]!, expect: 600 }];
    expect(await inPlace({}, { assertions: holding })).toMatchObject({
      assertions: [{ ok: true }],
    });
    expect((await readdir(bench.data)).sort()).toEqual(['app.db', 'note.txt']);
  });

  it('starts at the next start what a restore had stopped whose process was killed', async () => {
    const marks = join(bench.state, 'stopped-services');
    await mkdir(marks);
    await writeFile(join(marks, 'app.json'), JSON.stringify({ sourceId: 'app', jobId: 'job-0' }));
    await startLeftServices(context(service()), 'another-job');
    expect(log()).toEqual([]);
    await startLeftServices(context(service()));
    expect(log()).toEqual(['start']);
    await startLeftServices(context(service()));
    expect(log()).toEqual(['start']);
    await rm(marks, { recursive: true });
  });
});
