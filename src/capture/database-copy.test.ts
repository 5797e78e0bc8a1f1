import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { type PinnedDatabase, pinDatabases } from '../sqlite/pinned-read.ts';
import { freshDirectory, removeDirectory } from '../sqlite/testing/directories.ts';
import { SqliteChild } from '../sqlite/testing/processes.ts';
import { DatabaseCopy } from './database-copy.ts';

// A real full file system needs a mount, and that needs root.
const canMount = process.getuid?.() === 0;

let directory: string;
let scratch: string;
let path: string;
let application: SqliteChild;
const context = () => ({
  scratchDirectory: scratch,
  clock: systemClock,
  activity: quietActivity(),
});

beforeEach(async () => {
  directory = freshDirectory();
  scratch = join(directory, 'scratch');
  mkdirSync(scratch);
  path = join(directory, 'app.db');
  application = SqliteChild.start();
  await application.open(path);
  await application.exec(
    `PRAGMA journal_mode = DELETE; CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB);
     WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n < 6000)
     INSERT INTO t SELECT n, randomblob(900) FROM i;`,
  );
});

afterEach(async () => {
  await application.kill();
  removeDirectory(directory);
});

async function pinned<Result>(
  work: (database: PinnedDatabase) => Promise<Result>,
): Promise<Result> {
  const { signal } = new AbortController();
  const options = { scratchDirectory: scratch, timeoutMs: 10_000, clock: systemClock, signal };
  const set = await pinDatabases([path], options);
  try {
    return await work(set.databases[0]!);
  } finally {
    await set.close();
  }
}

/** A copy that was made, `change`d nothing of, and brought up to date. */
async function caughtUp(change: () => Promise<void>): Promise<DatabaseCopy> {
  const copy = (await DatabaseCopy.make(path, context()))!;
  await change();
  await pinned(async (database) => {
    expect(await copy.catchUp(database, context())).toBe(true);
    expect(readFileSync(copy.path).equals(readFileSync(path))).toBe(true);
  });
  return copy;
}

describe('a copy of a rollback-mode database', () => {
  it('is written once where nobody wrote to the database meanwhile', async () => {
    const copy = (await DatabaseCopy.make(path, context()))!;
    const before = statSync(copy.path, { bigint: true });
    await pinned((database) => copy.catchUp(database, context()));
    expect(statSync(copy.path, { bigint: true })).toMatchObject({ mtimeNs: before.mtimeNs });
    expect(readFileSync(copy.path).equals(readFileSync(path))).toBe(true);
    await copy.remove();
    expect(readdirSync(scratch)).toEqual([]);
  });

  it.each([
    ['changed', 'UPDATE t SET body = randomblob(900) WHERE id % 7 = 0'],
    ['grew', 'INSERT INTO t (body) SELECT randomblob(900) FROM t LIMIT 2000'],
    ['shrank', 'DELETE FROM t WHERE id > 1000; VACUUM'],
    ['was rolled back', 'BEGIN; UPDATE t SET body = zeroblob(900); ROLLBACK'],
  ])('is the very image that is pinned where the database %s', async (_what, sql) => {
    const copy = await caughtUp(() => application.exec(sql));
    await copy.remove();
  });

  it('is no image of a transaction that was under way when it was made', async () => {
    await application.exec(
      'PRAGMA cache_size = 10; BEGIN; UPDATE t SET body = zeroblob(900) WHERE id > 0',
    );
    const copy = await caughtUp(() => application.exec('ROLLBACK'));
    await copy.remove();
  });

  it('is none of a database with a write-ahead log', async () => {
    await application.exec('PRAGMA journal_mode = WAL');
    expect(await DatabaseCopy.make(path, context())).toBeNull();
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('is none where there is no place for it', async () => {
    const nowhere = { ...context(), scratchDirectory: join(directory, 'missing') };
    expect(await DatabaseCopy.make(path, nowhere)).toBeNull();
  });

  it('leaves nothing behind where it is given up', async () => {
    const activity = quietActivity(AbortSignal.abort(new Error('cancelled')));
    await expect(DatabaseCopy.make(path, { ...context(), activity })).rejects.toThrow('cancelled');
    expect(readdirSync(scratch)).toEqual([]);
  });

  it.skipIf(!canMount)(
    'takes no more than half of the room that there is, and says so where that is gone',
    async () => {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=22m', 'tmpfs', scratch]);
      try {
        const copy = (await DatabaseCopy.make(path, context()))!;
        expect(await DatabaseCopy.make(path, context())).not.toBeNull();
        expect(await DatabaseCopy.make(path, context())).toBeNull();
        writeFileSync(join(scratch, 'others'), Buffer.alloc(8 << 20));
        await application.exec('INSERT INTO t (body) SELECT randomblob(900) FROM t');
        expect(await pinned((database) => copy.catchUp(database, context()))).toBe(false);
      } finally {
        execFileSync('umount', ['-l', scratch]);
      }
    },
  );

  it('says so where it cannot be brought up to date, and once more after that', async () => {
    const copy = (await DatabaseCopy.make(path, context()))!;
    await application.exec('UPDATE t SET body = randomblob(900)');
    await copy.remove();
    for (let attempt = 1; attempt <= 2; attempt++) {
      expect(await pinned((database) => copy.catchUp(database, context()))).toBe(false);
    }
  });
});
