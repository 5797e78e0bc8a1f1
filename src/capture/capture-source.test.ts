import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RootSettings, SourceSettings } from '../config/settings.ts';
import { testSource } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { freshDirectory, portrait, removeDirectory } from '../sqlite/testing/directories.ts';
import { BANK_TOTAL, SqliteChild, startBankWriter } from '../sqlite/testing/processes.ts';
import { isGood, type Manifest } from '../store/manifests/manifest.ts';
import { initRepository, openWriter } from '../store/repository.ts';
import type { StoreWriter } from '../store/store.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import { type CaptureRequest, captureSource } from './capture-source.ts';
import { sourceFingerprint } from './source-fingerprint.ts';

let directory: string;
let data: string;
let config: string;
let scratch: string;
let repository: string;
let writer: StoreWriter;
const cleanups: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  directory = freshDirectory();
  [data, config, scratch, repository] = ['data', 'config', 'scratch', 'repository'].map((name) =>
    join(directory, name),
  ) as [string, string, string, string];
  for (const path of [data, config, scratch]) mkdirSync(path);
  await initRepository(repository, { clock: systemClock });
  writer = await openWriter(repository, {
    codec: 'auto',
    verifyWrites: 'sample',
    clock: systemClock,
    lockWaitMs: 0,
    purpose: 'test',
  });
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  await writer.close();
  removeDirectory(directory);
});

function root(rootClass: RootSettings['class'], path: string, required = true): RootSettings {
  return { class: rootClass, name: rootClass === 'extra' ? 'more' : null, path, required };
}

function source(changes: Partial<SourceSettings> = {}): SourceSettings {
  return testSource({ roots: [root('data', data), root('config', config)], ...changes });
}

function capture(
  changes: Partial<CaptureRequest> = {},
): Promise<{ id: string; manifest: Manifest }> {
  const request: CaptureRequest = {
    source: source(),
    type: 'full',
    origin: 'manual',
    reason: null,
    jobId: null,
    parent: null,
    forbiddenPaths: [repository, scratch],
    scratchDirectory: scratch,
    toolVersion: '1.0.0',
    ...changes,
  };
  return captureSource(request, writer, quietActivity(), systemClock);
}

const find = (manifest: Manifest, path: string): Promise<TreeEntry> =>
  writer.reader.findEntry(manifest, path);

async function bytesOf(entry: TreeEntry): Promise<Buffer> {
  if (entry.type !== 'file' && entry.type !== 'database') throw new Error(`a ${entry.type}`);
  const pieces: Buffer[] = [];
  for await (const piece of writer.reader.readContent(entry.content)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function openCaptured(manifest: Manifest, path: string): Promise<Database.Database> {
  const copy = join(directory, `captured-${Math.random()}.db`);
  writeFileSync(copy, await bytesOf(await find(manifest, path)));
  return new Database(copy);
}

async function names(manifest: Manifest, prefix: string): Promise<string[]> {
  const { tree } = manifest.roots.find((each) => each.prefix === prefix)!;
  return (await writer.reader.readTree(tree!)).map((entry) => entry.name);
}

const skips = (manifest: Manifest): string[] =>
  manifest.skipped.map((each) => `${each.reason} ${each.path}`);

function makeDatabase(path: string, rows: number, mode = 'wal'): void {
  const database = new Database(path);
  database.exec(
    `PRAGMA journal_mode=${mode}; CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ${rows})
     INSERT INTO t SELECT i, randomblob(1000) FROM n;`,
  );
  database.close();
}

describe('captureSource() databases', () => {
  it.each([
    ['a log and a rollback database', { 'a.db': 'wal', 'b.db': 'delete' }],
    ['a rollback database that is large enough for a copy', { 'large.db': 'delete' }],
  ] as const)(
    'F-02, F12, Z-D1: every snapshot under writers that never pause is sound and its sum exact: %s',
    async (_what, modes) => {
      makeDatabase(join(data, 'large.db'), 6_000, 'delete');
      for (const [name, mode] of Object.entries(modes)) {
        const application = await startBankWriter(join(data, name), mode, 5);
        cleanups.push(() => application.stop());
      }
      let parent: { id: string; manifest: Manifest } | null = null;
      for (let round = 0; round < 3; round++) {
        parent = await capture({ parent });
        const { manifest }: { manifest: Manifest } = parent;
        expect(isGood(manifest)).toBe(true);
        expect(manifest.warnings).toEqual([]);
        for (const name of Object.keys(modes)) {
          const database = await openCaptured(manifest, `data/${name}`);
          expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
          const sum = database.prepare('SELECT sum(balance) FROM accounts').pluck().get();
          expect(sum).toBe(BANK_TOTAL);
          database.close();
        }
      }
    },
  );

  it('a large rollback database that is written while it is read ahead is captured with that', async () => {
    const path = join(data, 'large.db');
    makeDatabase(path, 12_000, 'delete');
    const app = SqliteChild.start();
    cleanups.push(() => app.kill());
    await app.open(path);
    let written = false;
    const metered: StoreWriter = Object.create(writer, {
      writeContent: {
        value: async (...args: Parameters<StoreWriter['writeContent']>) => {
          const content = await writer.writeContent(...args);
          if (!written) await app.exec("INSERT INTO t VALUES (99999, 'late')");
          written = true;
          return content;
        },
      },
      reader: { get: () => writer.reader },
      statistics: { value: () => writer.statistics() },
      writeTree: { value: (entries: TreeEntry[]) => writer.writeTree(entries) },
      commitSnapshot: {
        value: (...args: Parameters<StoreWriter['commitSnapshot']>) =>
          writer.commitSnapshot(...args),
      },
    });
    const settled = await open(path);
    await settled.utimes(1_700_000_000, 1_700_000_000);
    await settled.close();
    const request: CaptureRequest = {
      source: source(),
      type: 'full',
      origin: 'manual',
      reason: null,
      jobId: null,
      parent: null,
      forbiddenPaths: [],
      scratchDirectory: scratch,
      toolVersion: '1',
    };
    const { manifest } = await captureSource(request, metered, quietActivity(), systemClock);
    expect(written).toBe(true);
    const database = await openCaptured(manifest, 'data/large.db');
    expect(database.prepare('SELECT body FROM t WHERE id = 99999').pluck().get()).toBe('late');
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    database.close();
  });

  it('an unchanged source is not read again, and its snapshot says so', async () => {
    makeDatabase(join(data, 'wal.db'), 500);
    makeDatabase(join(data, 'rollback.db'), 500, 'delete');
    const app = SqliteChild.start();
    cleanups.push(() => app.kill());
    await app.open(join(data, 'live.db'));
    await app.exec('PRAGMA journal_mode=wal; CREATE TABLE t (x); INSERT INTO t VALUES (1)');
    const first = await capture();
    const second = await capture({ parent: first });
    expect(second.manifest.statistics.readBytes).toBe(0);
    expect(second.manifest.statistics.chunksNew).toBe(0);
    expect(second.manifest.databases.map((each) => each.method)).toEqual(
      Array(3).fill('unchanged'),
    );
    expect(second.manifest.sourceFingerprint).toBe(first.manifest.sourceFingerprint);
    expect(await sourceFingerprint(source(), [repository, scratch])).toBe(
      first.manifest.sourceFingerprint,
    );

    await app.exec('UPDATE t SET x = 2');
    const third = await capture({ parent: second });
    expect(third.manifest.databases.map((each) => each.method)).toEqual([
      'pinned',
      'unchanged',
      'unchanged',
    ]);
    const database = await openCaptured(third.manifest, 'data/live.db');
    expect(database.prepare('SELECT x FROM t').pluck().get()).toBe(2);
    database.close();
    expect(third.manifest.sourceFingerprint).not.toBe(first.manifest.sourceFingerprint);
  });

  it('many small files are captured each as itself, and of those in turn only the changed one is read', async () => {
    mkdirSync(join(data, 'many'));
    mkdirSync(join(data, 'same'));
    const fileNames = Array.from(
      { length: 40 },
      (_, index) => `f${String(index).padStart(2, '0')}`,
    );
    for (const name of fileNames) writeFileSync(join(data, 'many', name), `content of ${name}`);
    writeFileSync(join(data, 'same', 'kept'), 'kept');
    symlinkSync('kept', join(data, 'same', 'link'));
    // One that only opening it shows to be a database, in the midst of the others.
    rmSync(join(data, 'many', 'f20'));
    makeDatabase(join(data, 'many', 'f20'), 1, 'delete');
    // File times move in ticks: what was written within the last one counts as changed.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const first = await capture();
    writeFileSync(join(data, 'many', 'f30'), 'changed');
    const second = await capture({ parent: first });
    expect(second.manifest.statistics.readBytes).toBe('changed'.length);
    for (const name of fileNames.filter((each) => each !== 'f20')) {
      const expected = name === 'f30' ? 'changed' : `content of ${name}`;
      const entry = await find(second.manifest, `data/many/${name}`);
      expect((await bytesOf(entry)).toString()).toBe(expected);
    }
    expect((await find(second.manifest, 'data/many/f20')).type).toBe('database');
    expect(await find(second.manifest, 'data/same')).toEqual(
      await find(first.manifest, 'data/same'),
    );
  });

  it('a source at rest is the same before and after, to the byte', async () => {
    makeDatabase(join(data, 'wal.db'), 50);
    makeDatabase(join(data, 'rollback.db'), 50, 'delete');
    writeFileSync(join(config, 'app.yaml'), 'a: 1');
    const before = [portrait(data), portrait(config)];
    await capture();
    expect([portrait(data), portrait(config)]).toEqual(before);
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('F12: one damaged database is kept as evidence and costs nobody else anything', async () => {
    makeDatabase(join(data, 'bad.db'), 500, 'delete');
    makeDatabase(join(data, 'good.db'), 50);
    makeDatabase(join(data, 'gone.db'), 50);
    const first = await capture();
    expect(isGood(first.manifest)).toBe(true);

    const handle = await open(join(data, 'bad.db'), 'r+');
    await handle.write(Buffer.alloc(8192), 0, 8192, 12 * 4096);
    await handle.close();
    writeFileSync(join(data, 'magic.db'), 'SQLite format 3\0nothing of the kind');
    truncateSync(join(data, 'gone.db'), 0);
    const { manifest } = await capture({ parent: first });
    const verdicts = manifest.databases.map(({ path, check }) => [path, check.ok]);
    expect(verdicts).toEqual([
      ['data/bad.db', false],
      ['data/gone.db', false],
      ['data/good.db', true],
      ['data/magic.db', false],
    ]);
    expect(isGood(manifest)).toBe(false);
    expect(manifest.warnings.filter((each) => each.includes('is damaged')).length).toBe(3);
    // No whole pages: nobody looked into it before it was read. The next snapshot knows it.
    expect(manifest.warnings).toContainEqual(
      expect.stringContaining('data/magic.db was found to be a database when'),
    );
    const { manifest: next } = await capture({ parent: { id: first.id, manifest } });
    expect(next.warnings.join()).not.toContain('was found to be');
    expect((await bytesOf(await find(manifest, 'data/bad.db'))).subarray(49_152, 49_160)).toEqual(
      Buffer.alloc(8),
    );
  });

  it('databases at any depth are found by their header; sidecars are left out, others not', async () => {
    mkdirSync(join(data, 'a/b'), { recursive: true });
    const app = SqliteChild.start();
    cleanups.push(() => app.kill());
    await app.open(join(data, 'a/b/deep.bin'));
    await app.exec('PRAGMA journal_mode=wal; CREATE TABLE t (x)');
    writeFileSync(join(data, 'notes-wal'), 'a file of its own');
    writeFileSync(join(data, 'notes'), 'no database');
    const { manifest } = await capture();
    expect(manifest.databases.map((each) => each.path)).toEqual(['data/a/b/deep.bin']);
    expect(skips(manifest)).toEqual([
      'database-sidecar data/a/b/deep.bin-shm',
      'database-sidecar data/a/b/deep.bin-wal',
    ]);
    expect(await names(manifest, 'data')).toEqual(['a', 'notes', 'notes-wal']);
  });

  it('damage in the parent costs a warning, not the snapshot', async () => {
    makeDatabase(join(data, 'app.db'), 50);
    const first = await capture();
    const roots = first.manifest.roots.map((each) => ({ ...each, tree: 'ab'.repeat(32) }));
    const second = await capture({ parent: { ...first, manifest: { ...first.manifest, roots } } });
    expect(second.manifest.databases[0]?.method).toBe('pinned');
    expect(second.manifest.warnings.length).toBeGreaterThan(0);
    const names = await writer.reader.readTree(second.manifest.roots[0]!.tree!);
    expect(names.map((entry) => entry.name)).toEqual(['app.db']);
  });

  it('two names of one database are captured alike, without losing its locks', async () => {
    const app = SqliteChild.start();
    cleanups.push(() => app.kill());
    await app.open(join(data, 'z.db'));
    await app.exec('PRAGMA journal_mode=wal; CREATE TABLE t (x); INSERT INTO t VALUES (7)');
    linkSync(join(data, 'z.db'), join(data, 'a.db'));
    const { manifest } = await capture();
    for (const path of ['data/a.db', 'data/z.db']) {
      const database = await openCaptured(manifest, path);
      expect(database.prepare('SELECT x FROM t').pluck().get()).toBe(7);
      database.close();
    }
  });
});

describe('captureSource() files', () => {
  it('T-09, T-11, F14: files, modes, times, symlinks and empty directories are recorded as they are', async () => {
    mkdirSync(join(data, 'empty'));
    writeFileSync(join(data, 'run.sh'), '#!/bin/sh\n');
    chmodSync(join(data, 'run.sh'), 0o750);
    writeFileSync(join(data, 'zero'), '');
    writeFileSync(join(data, 'ünïcode'), 'x');
    symlinkSync('/etc/passwd', join(data, 'link'));
    const { manifest } = await capture();
    const stat = lstatSync(join(data, 'run.sh'), { bigint: true });
    expect(await find(manifest, 'data/run.sh')).toMatchObject({
      type: 'file',
      mode: 0o750,
      uid: Number(stat.uid),
      mtimeNs: String(stat.mtimeNs),
      inode: String(stat.ino),
    });
    expect(await find(manifest, 'data/link')).toMatchObject({
      type: 'symlink',
      target: '/etc/passwd',
    });
    const empty = await find(manifest, 'data/empty');
    expect(empty.type === 'directory' && (await writer.reader.readTree(empty.tree))).toEqual([]);
    expect(manifest.statistics).toMatchObject({ files: 3, directories: 1, symlinks: 1 });
  });

  it('Z-17, F14: pipes, sockets, own files, excluded files and odd names are left out with a reason', async () => {
    execFileSync('mkfifo', [join(data, 'pipe')]);
    const server = createServer().listen(join(data, 'socket'));
    cleanups.push(async () => server.close());
    mkdirSync(join(data, 'repo'));
    mkdirSync(join(data, 'cache/deep'), { recursive: true });
    writeFileSync(join(data, 'cache/deep/file'), 'x');
    writeFileSync(join(data, 'keep'), 'x');
    writeFileSync(Buffer.concat([Buffer.from(`${data}/bad`), Buffer.from([0xff])]), 'x');
    const { manifest } = await capture({
      source: source({ exclude: ['data/cache/**'] }),
      forbiddenPaths: [join(data, 'repo')],
    });
    expect(skips(manifest).sort()).toEqual([
      'excluded data/cache',
      'name-not-utf8 data/bad\ufffd',
      'own-files data/repo',
      'special-file data/pipe',
      'special-file data/socket',
    ]);
    expect(await names(manifest, 'data')).toEqual(['keep']);
    expect(manifest.skippedCount).toBe(5);
    expect(manifest.warnings.length).toBe(1);
  });

  it('overlapping roots are stored once', async () => {
    const inner = join(data, 'inner');
    mkdirSync(inner);
    writeFileSync(join(inner, 'file'), 'x');
    writeFileSync(join(data, 'other'), 'y');
    const { manifest } = await capture({
      source: source({ roots: [root('data', data), root('config', data), root('extra', inner)] }),
    });
    expect(manifest.roots.map(({ prefix, sameAs }) => [prefix, sameAs])).toEqual([
      ['data', null],
      ['config', 'data'],
      ['extra/more', null],
    ]);
    expect(await names(manifest, 'data')).toEqual(['other']);
    expect(await names(manifest, 'extra/more')).toEqual(['file']);
    expect(skips(manifest)).toEqual(['other-root data/inner']);
  });

  it('types and onlyPaths limit what is captured', async () => {
    writeFileSync(join(data, 'one'), '1');
    writeFileSync(join(data, 'two'), '2');
    mkdirSync(join(data, 'sub'));
    writeFileSync(join(data, 'sub/three'), '3');
    writeFileSync(join(config, 'app.yaml'), 'a');
    const onlyConfig = await capture({ type: 'config' });
    expect(onlyConfig.manifest.roots.map((each) => each.prefix)).toEqual(['config']);
    const limited = await capture({ onlyPaths: ['data/one', 'data/sub/three', 'data/missing'] });
    expect(await names(limited.manifest, 'data')).toEqual(['one', 'sub']);
    expect(limited.manifest.roots.length).toBe(1);
  });

  it('T-06, T-07: a missing required root fails, a missing optional one is a warning', async () => {
    rmSync(config, { recursive: true });
    await expect(capture()).rejects.toMatchObject({ code: 'SOURCE_MISSING' });
    const { manifest } = await capture({
      source: source({ roots: [root('data', data), root('config', config, false)] }),
    });
    expect(manifest.roots[1]).toMatchObject({ missing: true, tree: null });
    expect(manifest.warnings.length).toBe(1);
    await expect(capture({ onlyPaths: ['config/x'] })).resolves.toBeDefined();
  });

  it('a root inside our own files is refused', async () => {
    const refused = capture({ forbiddenPaths: [directory] });
    await expect(refused).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
