import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configurationSchema } from '../config/options.ts';
import { resolveSources } from '../config/resolve-sources.ts';
import { testSettings } from '../config/testing/settings.ts';
import { ProblemList } from '../config/validate-configuration.ts';
import { type Activity, type ProgressCounts, quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import type { Manifest } from '../store/manifests/manifest.ts';
import { openReader } from '../store/repository.ts';
import type { SnapshotSummary, StoreReader } from '../store/store.ts';
import { backup } from './backup.ts';
import type { OperationContext } from './operation.ts';
import { restore } from './restore/restore.ts';

/** An application with a log of events, messages, a database, patterns of configuration and a plugin. */

let directory: string;
let context: OperationContext;
let progress: Partial<ProgressCounts>[];
let logged: string[];

const at = (...names: string[]): string => join(directory, ...names);

function put(path: string, content: string): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), content);
}

beforeEach(async () => {
  directory = realpathSync(await mkdtemp(join(tmpdir(), 'holdfast-whole-')));
  for (const name of ['scratch', 'state', 'issues']) mkdirSync(at(name));
  put('data/events.jsonl', '{"n":1}\n{"n":2}\n');
  put('data/messages/general.jsonl', '{"m":1}\n');
  put('config/config.json', '{}');
  put('config/identities/me.json', '{}');
  put('config/context/now.md', 'now');
  put('config/token', 'left out');
  const database = new Database(at('data/local.db'));
  database.exec("PRAGMA journal_mode=wal; CREATE TABLE reads (id); INSERT INTO reads VALUES ('a')");
  database.close();
  progress = [];
  logged = [];
  context = await contextOf({});
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function contextOf(source: object): Promise<OperationContext> {
  const { sources } = configurationSchema.parse({
    sources: [
      {
        name: 'app',
        roots: [at('data'), { class: 'config', path: at('config') }],
        include: ['data', 'config/config.json', 'config/identities/*.json', 'config/context/*.md'],
        plugins: [
          { name: 'issues', directory: at('issues'), command: 'echo i > i.jsonl', include: ['*'] },
        ],
        ...source,
      },
    ],
  });
  const own = { stateDirectory: at('state'), repositoryDirectory: at('repository') };
  const list = new ProblemList(() => null, new Map());
  const resolved = await resolveSources({ sources, retention: null }, own, list);
  expect(list.problems).toEqual([]);
  const activity: Activity = {
    ...quietActivity(),
    progress: (counts) => progress.push({ ...counts }),
    log: (line) => logged.push(line),
  };
  return {
    activity,
    settings: testSettings(directory, { ...own, sources: resolved }),
    clock: systemClock,
    jobId: 'job-1',
    scratchDirectory: at('scratch'),
  };
}

const run = (params: object = {}) => backup.run(context, backup.params.parse(params));

async function read<Result>(look: (reader: StoreReader) => Promise<Result> | Result) {
  const reader = await openReader(at('repository'));
  try {
    return await look(reader);
  } finally {
    reader.close();
  }
}

const listed = (): Promise<SnapshotSummary[]> => read((reader) => reader.listSnapshots());

function filesBelow(path: string): string[] {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1)).sort();
}

const restoreTo = (snapshotId: string, path: string): Promise<Record<string, unknown>> =>
  restore.run(
    context,
    restore.params.parse({ snapshotId, target: { type: 'directory', path: at(path) } }),
  );

describe('a snapshot of everything that an application keeps', () => {
  it('T-01, T-03: the newest comes out as plain files, and the older ones are there as well', async () => {
    const { snapshotId: first } = await run();
    put('data/events.jsonl', '{"n":1}\n{"n":2}\n{"n":3}\n');
    const { snapshotId: second } = await run();
    await restoreTo(second as string, 'current');
    expect(filesBelow(at('current'))).toEqual([
      'config/config.json',
      'config/context/now.md',
      'config/identities/me.json',
      'data/events.jsonl',
      'data/local.db',
      'data/messages/general.jsonl',
      'extra/plugin-issues/i.jsonl',
    ]);
    expect(readFileSync(at('current/data/events.jsonl'), 'utf8')).toContain('"n":3');
    await restoreTo(first as string, 'archived');
    expect(readFileSync(at('archived/data/events.jsonl'), 'utf8')).not.toContain('"n":3');
    const database = new Database(at('archived/data/local.db'), { readonly: true });
    expect(database.prepare('SELECT id FROM reads').pluck().all()).toEqual(['a']);
    database.close();
  });

  it('T-13: hooks, plugins, capture and sealing are phases, in this order', async () => {
    context = await contextOf({ hooks: { pre: 'true', post: 'true' } });
    await run();
    expect([...new Set(progress.flatMap(({ phase }) => phase ?? []))]).toEqual([
      'pre hook',
      'plugins',
      'scan',
      'databases',
      'files',
      'commit',
      'post hook',
    ]);
  });

  it('M-01, M-09, M-26: one snapshot for each run, with its source, host, roots, size and files', async () => {
    const { snapshotId } = await run({ tags: ['nightly'] });
    expect(await listed()).toMatchObject([
      { id: snapshotId, sourceName: 'app', tags: ['nightly'], files: 6, databases: 1 },
    ]);
    const manifest: Manifest = await read((reader) => reader.readManifest(snapshotId as string));
    expect(manifest.host).toEqual({ name: hostname(), os: process.platform, arch: process.arch });
    expect(`${manifest.host.os} ${manifest.host.arch}`).toMatch(/^[a-z0-9]+ [a-z0-9]+$/);
    expect(manifest.roots.map(({ path }) => path)).toEqual([
      at('data'),
      at('config'),
      at('issues'),
    ]);
    expect(manifest.statistics.totalBytes).toBeGreaterThan(0);
  });

  it('F-D6, T-D8, Z-20: two in the same moment are two', async () => {
    const clock = { ...systemClock, nowMs: () => 1_800_000_000_000 };
    context = { ...context, clock };
    const ids = [(await run())['snapshotId'], (await run())['snapshotId']];
    expect(new Set(ids).size).toBe(2);
    expect((await listed()).map(({ id }) => id).sort()).toEqual([...ids].sort());
  });

  it('F-D1: an older one that is restored takes no newer one from the list or from the disk', async () => {
    const { snapshotId: first } = await run();
    put('data/events.jsonl', 'newer');
    const { snapshotId: second } = await run();
    const target = { type: 'in-place' };
    await restore.run(
      context,
      restore.params.parse({ snapshotId: first, target, replaceDatabases: true }),
    );
    expect(readFileSync(at('data/events.jsonl'), 'utf8')).toContain('"n":1');
    const left = await listed();
    expect(left.map(({ id }) => id)).toEqual(expect.arrayContaining([first, second]));
    expect(left.map(({ origin }) => origin).sort()).toEqual(['manual', 'manual', 'pre-restore']);
    await restoreTo(second as string, 'again');
    expect(readFileSync(at('again/data/events.jsonl'), 'utf8')).toBe('newer');
  });

  it('M-58, Z-D24: a restore tells its progress in files and bytes, logs none of it, and ends with its figures', async () => {
    const { snapshotId } = await run();
    progress = [];
    logged = [];
    const result = await restoreTo(snapshotId as string, 'out');
    const phases = new Map<string, Partial<ProgressCounts>>();
    let phase = '';
    for (const counts of progress) {
      phase = counts.phase ?? phase;
      phases.set(phase, { ...phases.get(phase), ...counts });
    }
    const staged = phases.get('stage')!;
    expect(staged.totalFiles).toBe(result['created']);
    expect(staged.filesDone).toBe(staged.totalFiles);
    expect(staged.bytesDone).toBe(result['bytesWritten']);
    expect(staged.totalBytes).toBe(result['bytesWritten']);
    expect(logged).toEqual([]);
  });

  it('T-39: what a plugin collects inside a root is kept, though the source names only other files', async () => {
    const own = { name: 'own', command: 'mkdir -p sub; echo x > sub/a', include: ['sub/*'] };
    const odd = { ...own, name: 'odd', directory: at('data', 'a [b]') };
    mkdirSync(odd.directory);
    context = await contextOf({ include: ['data/events.jsonl'], plugins: [own, odd] });
    const { snapshotId, plugins } = await run();
    expect(plugins).toMatchObject([{ files: 1 }, { files: 1 }]);
    await restoreTo(snapshotId as string, 'out');
    expect(filesBelow(at('out'))).toEqual(['data/a [b]/sub/a', 'data/events.jsonl', 'data/sub/a']);
  });
});
