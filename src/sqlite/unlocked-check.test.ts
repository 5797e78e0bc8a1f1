import { mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshDirectory, removeDirectory } from './testing/directories.ts';
import { SqliteChild } from './testing/processes.ts';
import { checkUnlocked } from './unlocked-check.ts';

let directory: string;
let path: string;
let application: SqliteChild;

beforeEach(async () => {
  directory = freshDirectory();
  mkdirSync(join(directory, 'data'));
  path = join(directory, 'data', 'app.db');
  application = SqliteChild.start();
  // It waits a moment for the lock under which reading begins, and no longer.
  await application.open(path, { timeout: 50 });
  await application.exec(
    `PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF;
     CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, n INTEGER);
     WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n < 100000)
     INSERT INTO t SELECT n, hex(randomblob(20)), hex(randomblob(20)), 0 FROM i;
     CREATE INDEX ta ON t (a); CREATE INDEX tb ON t (b);`,
  );
});

afterEach(async () => {
  await application.kill();
  removeDirectory(directory);
});

const writes = 'UPDATE t SET n = n + 1 WHERE id = 7;'.repeat(400);

describe('checkUnlocked()', () => {
  it('keeps no writer waiting, where a transaction of a reader does', async () => {
    const reader = new Database(path, { readonly: true });
    reader.exec('BEGIN');
    reader.pragma('schema_version');
    expect(await application.attempt({ exec: writes })).toMatch(/^SQLITE_BUSY/);
    reader.close();
    // On a busy machine this process may be put aside in the moment in which it does hold the lock.
    let refused: string | null = 'untried';
    for (let attempt = 0; attempt < 5 && refused !== null; attempt++) {
      const writing = application.attempt({ exec: writes });
      checkUnlocked(path, 'full');
      refused = await writing;
    }
    expect(refused).toBeNull();
  });

  it('says of a file that nobody writes what a check under its lock says', () => {
    expect(checkUnlocked(path, 'full')).toEqual({ ok: true, messages: [] });
    expect(checkUnlocked(path, 'quick')).toEqual({ ok: true, messages: [] });
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(4096, 7), 0, 4096, 4096 * 100);
    expect(checkUnlocked(path, 'quick')).toMatchObject({ ok: false });
  });

  it('says nothing of one that is locked or needs its journal rolled back', async () => {
    await application.exec('BEGIN EXCLUSIVE');
    expect(checkUnlocked(path, 'quick')).toBeNull();
    await application.exec('PRAGMA cache_size = 1; UPDATE t SET n = n + 1');
    await application.kill();
    expect(checkUnlocked(path, 'quick')).toBeNull();
  });
});
