import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdExclusively } from './database-use.ts';
import { findDatabaseUsers } from './database-users.ts';
import { freshDirectory, portrait, removeDirectory } from './testing/directories.ts';
import { SqliteChild } from './testing/processes.ts';

let directory: string;
let data: string;
let scratch: string;
let path: string;
let app: SqliteChild;

beforeEach(() => {
  directory = freshDirectory();
  data = join(directory, 'data');
  scratch = join(directory, 'scratch');
  mkdirSync(data);
  mkdirSync(scratch);
  path = join(data, 'app.db');
  app = SqliteChild.start();
});

afterEach(async () => {
  await app.kill();
  removeDirectory(directory);
});

function make(mode: string): void {
  const database = new Database(path);
  database.exec(`PRAGMA journal_mode=${mode}; CREATE TABLE t (x); INSERT INTO t VALUES (1)`);
  database.close();
}

const MODES = ['wal', 'delete'];

describe('holdExclusively()', () => {
  it.each(MODES)(
    'keeps others from a %s database until released, and changes nothing',
    async (mode) => {
      make(mode);
      const before = portrait(data);
      const hold = await holdExclusively(path, scratch);
      expect(hold.by).toBe('lock');
      await app.open(path, { timeout: 0 });
      expect(await app.attempt({ exec: 'INSERT INTO t VALUES (2)' })).toBe('SQLITE_BUSY');
      await app.close();
      hold.release();
      expect(portrait(data)).toEqual(before);
      expect(readdirSync(scratch)).toEqual([]);
      const after = SqliteChild.start();
      await after.open(path, { timeout: 0 });
      await after.exec('INSERT INTO t VALUES (3)');
      await after.kill();
    },
  );

  it.each(MODES)('refuses a %s database that another process has open, even idle', async (mode) => {
    make(mode);
    await app.open(path);
    await app.exec('SELECT * FROM t');
    await expect(holdExclusively(path, scratch)).rejects.toMatchObject({
      code: 'TARGET_BUSY',
      retryable: true,
      details: { users: [{ pid: app.pid }] },
    });
    // The refused attempt has left no lock.
    await app.exec('INSERT INTO t VALUES (2)');
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('holds nothing, and says so, where SQLite cannot read the file', async () => {
    make('delete');
    writeFileSync(path, Buffer.alloc(8192, 7));
    const hold = await holdExclusively(path, scratch);
    expect(hold.by).toBe('none');
    hold.release();
  });
});

describe('findDatabaseUsers()', () => {
  it('names the processes that have any member open, and not this one', async () => {
    make('wal');
    const own = new Database(path);
    own.prepare('SELECT * FROM t').all();
    expect(await findDatabaseUsers(path)).toEqual([]);
    await app.open(path);
    expect(await findDatabaseUsers(path)).toMatchObject([{ pid: app.pid, command: 'node' }]);
    own.close();
    expect(await findDatabaseUsers(join(data, 'missing.db'))).toEqual([]);
  });
});
