import { copyFileSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { scratchFolder } from '../store/testing/scratch-repository.ts';
import {
  allowCheckThreads,
  checkPinnedBeside,
  checksBeside,
  checkUnlockedBeside,
} from './check-beside.ts';
import { checkConnection } from './database-check.ts';
import { pinDatabases } from './pinned-read.ts';

/** Promise: what a thread says of a database is of the state that was pinned, or it says nothing. */

let folder: Awaited<ReturnType<typeof scratchFolder>>;
let whole: string;
let damaged: string;

beforeAll(async () => {
  folder = await scratchFolder();
  const outfile = join(folder.path, 'check-thread.cjs');
  // It stands elsewhere than the packages.
  const native = createRequire(import.meta.url).resolve('better-sqlite3');
  await build({
    entryPoints: [fileURLToPath(new URL('./check-thread.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    plugins: [
      {
        name: 'native',
        setup: ({ onResolve }) =>
          onResolve({ filter: /^better-sqlite3$/ }, () => ({ path: native, external: true })),
      },
    ],
    logLevel: 'error',
  });
  allowCheckThreads(pathToFileURL(outfile));
  whole = join(folder.path, 'whole.db');
  const database = new Database(whole);
  database.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT, more BLOB)');
  const insert = database.prepare('INSERT INTO rows (text, more) VALUES (?, zeroblob(4000))');
  database.transaction(() => {
    for (let count = 0; count < 9_000; count++) insert.run(`row ${count}`);
  })();
  database.exec('CREATE INDEX by_text ON rows (text)');
  database.close();
  damaged = join(folder.path, 'damaged.db');
  copyFileSync(whole, damaged);
  const bytes = readFileSync(damaged);
  for (let page = 500; page < 520; page++) bytes.fill(0xee, page * 4096, page * 4096 + 100);
  writeFileSync(damaged, bytes);
});
afterAll(() => folder.dispose());

const inWalMode = (name: string): string => {
  const path = join(folder.path, name);
  copyFileSync(whole, path);
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  database.close();
  return path;
};

async function pinOne(path: string) {
  const scratchDirectory = join(folder.path, 'scratch');
  mkdirSync(scratchDirectory, { recursive: true });
  const { signal } = new AbortController();
  const options = { scratchDirectory, timeoutMs: 1_000, clock: systemClock, signal };
  return pinDatabases([path], options);
}

describe('a check beside a pinned database', () => {
  it.each(['wal', 'delete'])('%s: says of a sound one that it is sound', async (mode) => {
    const path = mode === 'wal' ? inWalMode('sound.db') : whole;
    const set = await pinOne(path);
    const [pinned] = set.databases;
    expect(checksBeside(pinned!.image.bytes)).toBe(true);
    expect(await pinned!.checkBeside('quick')).toEqual({ ok: true, messages: [] });
    expect(await pinned!.checkBeside('full')).toEqual({ ok: true, messages: [] });
    await set.close();
  });

  it('says of a damaged one what the pinned connection says', async () => {
    const set = await pinOne(damaged);
    const [pinned] = set.databases;
    const beside = await pinned!.checkBeside('quick');
    expect(beside?.ok).toBe(false);
    expect(beside).toEqual(
      pinned!.withConnection((database) => checkConnection(database, 'quick')),
    );
    await set.close();
  });

  it('says nothing where a commit came between its transaction and the pinned one', async () => {
    const path = inWalMode('moved.db');
    const set = await pinOne(path);
    const [pinned] = set.databases;
    const writer = new Database(path);
    writer.exec("UPDATE rows SET text = 'another' WHERE id = 1");
    expect(await pinned!.checkBeside('quick')).toBeNull();
    writer.close();
    await set.close();
  });

  it('says nothing where there is no second connection to be had', async () => {
    const gone = join(folder.path, 'gone.db');
    expect(await checkPinnedBeside(gone, 'quick', () => true)).toBeNull();
  });

  it('a writer in WAL mode commits while it goes on, and shortens the log when it is over', async () => {
    const path = inWalMode('busy.db');
    const set = await pinOne(path);
    const [pinned] = set.databases;
    const writer = new Database(path);
    let commits = 0;
    let result: unknown;
    const checking = checkPinnedBeside(path, 'full', () => true).then((found) => {
      result = found;
    });
    while (result === undefined) {
      writer.prepare('UPDATE rows SET text = ? WHERE id = ?').run(`row ${commits}`, 1 + commits);
      commits += 1;
      await new Promise(setImmediate);
    }
    await checking;
    // Pinned at once, before the first of these commits, or between two of them: sound in either case.
    expect(result).toEqual({ ok: true, messages: [] });
    expect(commits).toBeGreaterThan(0);
    await pinned!.close();
    expect(writer.pragma('wal_checkpoint(TRUNCATE)')).toEqual([
      { busy: 0, log: 0, checkpointed: 0 },
    ]);
    writer.close();
    await set.close();
  });
});

describe('an unlocked check on a thread', () => {
  it('keeps no writer waiting', async () => {
    const path = join(folder.path, 'unlocked.db');
    copyFileSync(whole, path);
    expect(await checkUnlockedBeside(path, 'quick')).toEqual({ ok: true, messages: [] });
    const checking = checkUnlockedBeside(path, 'full');
    const writer = new Database(path, { timeout: 5_000 });
    writer.exec("UPDATE rows SET text = 'another' WHERE id = 1");
    writer.close();
    // Whatever it says of a database that was written meanwhile: nobody uses it.
    await checking;
  });

  it('a thread that cannot start leaves the check to be done without it', async () => {
    const broken = join(folder.path, 'broken.mjs');
    writeSync(openSync(broken, 'w'), 'process.exit(3);');
    allowCheckThreads(pathToFileURL(broken));
    expect(await checkUnlockedBeside(whole, 'quick')).toBeNull();
    expect(await checkPinnedBeside(whole, 'quick', () => true)).toBeNull();
  });
});
