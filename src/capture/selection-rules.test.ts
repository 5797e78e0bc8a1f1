import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SourceSettings } from '../config/settings.ts';
import { testSource } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { freshDirectory, removeDirectory } from '../sqlite/testing/directories.ts';
import type { Manifest, SnapshotType } from '../store/manifests/manifest.ts';
import { initRepository, openWriter } from '../store/repository.ts';
import type { StoreWriter } from '../store/store.ts';
import { captureSource } from './capture-source.ts';
import { differingKeys, keyFingerprints } from './key-fingerprints.ts';
import { sourceFingerprint } from './source-fingerprint.ts';

let directory: string;
let writer: StoreWriter;
beforeEach(async () => {
  directory = freshDirectory();
  for (const name of ['data', 'config', 'scratch']) mkdirSync(join(directory, name));
  const repository = join(directory, 'repository');
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
  await writer.close();
  removeDirectory(directory);
});

function put(path: string, content: string | Buffer = path): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), content);
}

function database(path: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  const opened = new Database(join(directory, path));
  opened.exec('CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(50000))');
  opened.close();
}

const source = (changes: Partial<SourceSettings> = {}): SourceSettings =>
  testSource({
    roots: [
      { class: 'data', name: null, path: join(directory, 'data'), required: true },
      { class: 'config', name: null, path: join(directory, 'config'), required: true },
    ],
    ...changes,
  });

async function capture(
  changes: Partial<SourceSettings> = {},
  parent: { id: string; manifest: Manifest } | null = null,
  type: SnapshotType = 'full',
) {
  const request = {
    source: source(changes),
    type,
    origin: 'manual',
    reason: null,
    jobId: null,
    parent,
    forbiddenPaths: [join(directory, 'repository')],
    scratchDirectory: join(directory, 'scratch'),
    toolVersion: '1.0.0',
  } as const;
  return captureSource(request, writer, quietActivity(), systemClock);
}

/** Logical paths of everything in a snapshot that is no directory, sorted. */
async function held({ roots }: Manifest): Promise<string[]> {
  const paths: string[] = [];
  const visit = async (tree: string, prefix: string): Promise<void> => {
    for (const entry of await writer.reader.readTree(tree)) {
      const path = `${prefix}/${entry.name}`;
      if (entry.type === 'directory') await visit(entry.tree, path);
      else paths.push(path);
    }
  };
  for (const { tree, prefix } of roots) if (tree !== null) await visit(tree, prefix);
  return paths.sort();
}

describe('what is left out', () => {
  it('Z-14: by default only what applications make anew, at the top of data roots; their directories stay', async () => {
    put('data/cache/a/b');
    put('data/logs/app.log');
    put('data/models/mine.gguf');
    put('data/work/cache/notes');
    put('data/backups/last');
    put('config/cache/entry');
    const { manifest } = await capture();
    expect(await held(manifest)).toEqual([
      'config/cache/entry',
      'data/backups/last',
      'data/models/mine.gguf',
      'data/work/cache/notes',
    ]);
    const { tree } = manifest.roots[0]!;
    const names = (await writer.reader.readTree(tree!)).map(({ name }) => name);
    expect(names).toEqual(['backups', 'cache', 'logs', 'models', 'work']);
  });

  it('Z-14: the default patterns can be turned off', async () => {
    put('data/cache/a');
    const { manifest } = await capture({ defaultExcludes: false });
    expect(await held(manifest)).toEqual(['data/cache/a']);
  });

  it('F14, Z-15, Z-18: every exclusion is counted by its reason and listed', async () => {
    put('data/cache/a');
    put('data/keep');
    put('data/drop.onnx');
    put('data/big', Buffer.alloc(2000));
    const { manifest } = await capture({ exclude: ['**/*.onnx'], maxFileBytes: 1000 });
    expect(await held(manifest)).toEqual(['data/keep']);
    expect(manifest.skippedByReason).toEqual({ excluded: 2, 'too-large': 1 });
    const byPath = [...manifest.skipped].sort((left, right) => (left.path < right.path ? -1 : 1));
    expect(byPath).toEqual([
      { path: 'data/big', reason: 'too-large', message: '2000 bytes' },
      { path: 'data/cache/a', reason: 'excluded' },
      { path: 'data/drop.onnx', reason: 'excluded' },
    ]);
  });

  it('Z-16: a database is never too large, whatever it is called', async () => {
    database('data/plain.dat');
    put('data/big.sqlite', Buffer.alloc(2000, 'x'));
    const { manifest } = await capture({ maxFileBytes: 1000 });
    expect(await held(manifest)).toEqual(['data/plain.dat']);
    expect(manifest.databases.map(({ path }) => path)).toEqual(['data/plain.dat']);
  });

  it('Z-16: a bound that is set later holds for files that did not change as well', async () => {
    put('data/big', Buffer.alloc(2000));
    const first = await capture();
    const { manifest } = await capture({ maxFileBytes: 1000 }, first);
    expect(await held(manifest)).toEqual([]);
  });

  it('Z-16, Z-D4: without a bound nothing is too large', async () => {
    put('data/big', Buffer.alloc(11 * 1024 * 1024));
    expect(await held((await capture()).manifest)).toEqual(['data/big']);
  });

  it('Z-17: symbolic links are kept as links', async () => {
    put('data/real');
    symlinkSync('real', join(directory, 'data/link'));
    expect(await held((await capture()).manifest)).toEqual(['data/link', 'data/real']);
  });

  it('Z-18: what cannot be read is a warning and listed, or fails the backup where that is wanted', async () => {
    put('data/keep');
    // A name that is no UTF-8 cannot be captured by anybody, root included.
    writeFileSync(Buffer.concat([Buffer.from(join(directory, 'data/')), Buffer.from([0xff])]), 'x');
    const { manifest } = await capture();
    expect(manifest.warnings).toEqual([expect.stringContaining('1 entries could not be captured')]);
    expect(manifest.skippedByReason).toEqual({ 'name-not-utf8': 1 });
    await expect(capture({ unreadable: 'fail' })).rejects.toMatchObject({ code: 'IO_ERROR' });
  });

  it('Z-19: a missing root is an error where it is required, a warning where it is not', async () => {
    const roots = (required: boolean) => [
      { class: 'data' as const, name: null, path: join(directory, 'gone'), required },
    ];
    await expect(capture({ roots: roots(true) })).rejects.toMatchObject({ code: 'SOURCE_MISSING' });
    const { manifest } = await capture({ roots: roots(false) });
    expect(manifest.warnings[0]).toContain('is missing');
  });

  it('Z-D30: the fingerprint that tells of changes goes by the very same rules', async () => {
    put('data/keep');
    put('config/app.yaml');
    const rules = { include: ['config/*', 'data/keep'], exclude: ['**/*.tmp'] };
    const { manifest } = await capture(rules);
    const now = () => sourceFingerprint(source(rules), [join(directory, 'repository')]);
    expect(await now()).toBe(manifest.sourceFingerprint);
    put('data/other');
    put('config/x.tmp');
    put('data/cache/y');
    // Directories count, their times do not: data/cache is new.
    put('data/cache/z');
    const withCache = await now();
    put('data/cache/more');
    expect(await now()).toBe(withCache);
    put('config/second.yaml');
    expect(await now()).not.toBe(withCache);
  });
});

describe('Z-12: the classes of roots that a snapshot holds', () => {
  it.each([
    ['full', ['config/app.yaml', 'data/app', 'extra/more/file']],
    ['config', ['config/app.yaml']],
    ['data', ['data/app', 'extra/more/file']],
  ] as const)('%s', async (type, expected) => {
    put('data/app');
    put('config/app.yaml');
    put('more/file');
    const more = {
      class: 'extra' as const,
      name: 'more',
      path: join(directory, 'more'),
      required: true,
    };
    const { manifest } = await capture({ roots: [...source().roots, more] }, null, type);
    expect(await held(manifest)).toEqual(expected);
  });
});

describe('F15: a source of patterns', () => {
  it('T-18: captures what they name, and notes the pattern that names nothing', async () => {
    put('data/identity/me.json');
    put('data/identity/deep/you.json');
    put('data/context.md');
    put('data/other.md');
    const include = ['data/identity', 'data/context.*', 'config/*.yaml'];
    const { manifest } = await capture({ include });
    expect(await held(manifest)).toEqual([
      'data/context.md',
      'data/identity/deep/you.json',
      'data/identity/me.json',
    ]);
    expect(manifest.notes).toEqual(['nothing matched config/*.yaml']);
    expect(manifest.warnings).toEqual([]);
    expect(manifest.skippedByReason).toEqual({ 'not-included': 1 });
  });
});

describe('Z-11, Z-D31: roots that overlap', () => {
  it('the same directory twice is stored once', async () => {
    put('data/app.yaml');
    const shared = join(directory, 'data');
    const { manifest } = await capture({
      roots: [
        { class: 'data', name: null, path: shared, required: true },
        { class: 'config', name: null, path: shared, required: true },
      ],
    });
    expect(await held(manifest)).toEqual(['data/app.yaml']);
    expect(manifest.roots.map(({ sameAs }) => sameAs)).toEqual([null, 'data']);
    expect(manifest.statistics.files).toBe(1);
  });

  it('Z-05: a third root inside another is stored as itself alone', async () => {
    put('data/skills/one');
    put('data/app');
    const { manifest } = await capture({
      roots: [
        ...source().roots,
        { class: 'extra', name: 'skills', path: join(directory, 'data/skills'), required: true },
      ],
    });
    expect(await held(manifest)).toEqual(['data/app', 'extra/skills/one']);
  });
});

describe('databases that may come and go', () => {
  it('are no warning when they went; others are', async () => {
    database('data/queue.db');
    database('data/app.db');
    const first = await capture();
    rmSync(join(directory, 'data/queue.db'));
    const optional = { ...source().databases, optional: ['data/queue.db'] };
    expect((await capture({ databases: optional }, first)).manifest.warnings).toEqual([]);
    expect((await capture({}, first)).manifest.warnings[0]).toContain('data/queue.db');
  });
});

describe('F56, F-15: keys beside the data', () => {
  const keyed = (path: string) => source({ keys: [{ name: 'app', path, secret: null }] });

  it('a snapshot holds their fingerprint and never the key', async () => {
    put('key', 'hunter2-hunter2');
    const keys = [
      { name: 'app', path: join(directory, 'key'), secret: null },
      { name: 'gone', path: join(directory, 'nowhere'), secret: null },
    ];
    const { id, manifest } = await capture({ keys });
    expect(manifest.keys).toEqual([
      { name: 'app', fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) },
      { name: 'gone', fingerprint: null },
    ]);
    expect(JSON.stringify(manifest)).not.toContain('hunter2');
    expect((await writer.reader.readManifest(id)).keys).toEqual(manifest.keys);
  });

  it('another key is told from the same one; a key that is not there is not called another', async () => {
    put('one', 'first');
    put('same', 'first');
    put('two', 'second');
    const of = (name: string) => keyFingerprints(keyed(join(directory, name)));
    expect(differingKeys(await of('one'), await of('same'))).toEqual([]);
    expect(differingKeys(await of('one'), await of('two'))).toEqual(['app']);
    expect(differingKeys(await of('one'), await of('missing'))).toEqual([]);
  });

  it('a key that is a secret is found by its name', async () => {
    const byName = source({ keys: [{ name: 'app', path: null, secret: 'token' }] });
    put('file', 'value');
    const known = async (name: string) => (name === 'token' ? Buffer.from('value') : null);
    expect(await keyFingerprints(byName, known)).toEqual(
      await keyFingerprints(keyed(join(directory, 'file'))),
    );
  });
});
