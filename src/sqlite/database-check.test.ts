import { randomBytes } from 'node:crypto';
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHECK_MESSAGES_MAX, checkConnection, checkDatabase } from './database-check.ts';
import { freshDirectory, portrait, removeDirectory } from './testing/directories.ts';
import { SqliteChild } from './testing/processes.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = freshDirectory();
  path = join(directory, 'app.db');
});
afterEach(() => removeDirectory(directory));

function make(rows = 2_000, statements = ''): void {
  const database = new Database(path);
  database.function('twice', { deterministic: true }, (value: unknown) => Number(value) * 2);
  database.exec(
    'CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT); CREATE INDEX t_text ON t(text)',
  );
  const insert = database.prepare('INSERT INTO t VALUES(?, ?)');
  database.transaction(() => {
    for (let id = 1; id <= rows; id += 1) insert.run(id, `${(id * 7919) % 10_007}`.repeat(5));
  })();
  database.exec(statements);
  database.close();
}

function overwrite(position: number, bytes: Buffer): void {
  const handle = openSync(path, 'r+');
  writeSync(handle, bytes, 0, bytes.length, position);
  closeSync(handle);
}

function rootOf(name: string): number {
  const database = new Database(path);
  const sql = 'SELECT rootpage FROM sqlite_schema WHERE name = ?';
  const root = database.prepare<[string], number>(sql).pluck().get(name)!;
  database.close();
  return root;
}

describe('checkDatabase', () => {
  it('passes a sound database of either journal mode and leaves nothing beside it', () => {
    make();
    expect(checkDatabase(path, 'full')).toEqual({
      ok: true,
      level: 'full',
      outcome: 'ok',
      messages: [],
    });
    new Database(path).pragma('journal_mode = WAL');
    expect(checkDatabase(path, 'quick')).toMatchObject({ ok: true, level: 'quick' });
  });

  it('keeps what the check said before it died of the damage', () => {
    make();
    overwrite((rootOf('t_text') - 1) * 4096, Buffer.alloc(4096));
    const { outcome, messages } = checkDatabase(path, 'full');
    expect(outcome).toBe('corrupt');
    expect(messages[0]).toMatch(/^Tree \d+ page \d+: btreeInitPage/);
    expect(messages.at(-1)).toBe('database disk image is malformed');
  });

  it('bounds what it says of a file that is wrecked all over', () => {
    make(20_000);
    const { length } = readFileSync(path);
    for (let position = 4096 * 3; position < length; position += 8192) {
      overwrite(position, Buffer.alloc(4096, 0xa5));
    }
    const { ok, messages } = checkDatabase(path, 'full');
    expect(ok).toBe(false);
    expect(messages.length).toBeGreaterThan(10);
    expect(messages.length).toBeLessThanOrEqual(CHECK_MESSAGES_MAX);
    expect(Math.max(...messages.map((message) => message.length))).toBeLessThanOrEqual(400);
  });

  it('calls a file that is cut short, or whose header is overwritten, corrupt', () => {
    make();
    const whole = readFileSync(path);
    truncateSync(path, whole.length - 4096 * 4);
    expect(checkDatabase(path, 'quick')).toMatchObject({
      outcome: 'corrupt',
      thrown: 'SQLITE_CORRUPT',
    });
    writeFileSync(path, whole);
    overwrite(0, randomBytes(100));
    expect(checkDatabase(path, 'quick')).toMatchObject({
      outcome: 'corrupt',
      thrown: 'SQLITE_NOTADB',
    });
  });

  it('calls a file of random bytes encrypted, and a text file corrupt', () => {
    writeFileSync(path, randomBytes(64 * 1024));
    expect(checkDatabase(path, 'quick').outcome).toBe('encrypted');
    writeFileSync(path, 'no database at all\n'.repeat(1000));
    expect(checkDatabase(path, 'quick').outcome).toBe('corrupt');
  });

  it('calls a missing file missing and does not create it', () => {
    expect(checkDatabase(path, 'quick').outcome).toBe('missing');
    expect(readdirSync(directory)).toEqual([]);
  });

  it('calls a database that another process locks busy, never corrupt', async () => {
    make();
    const other = SqliteChild.start();
    try {
      await other.open(path);
      await other.exec('BEGIN EXCLUSIVE');
      expect(checkDatabase(path, 'quick', { timeoutMs: 20 })).toMatchObject({
        ok: false,
        outcome: 'busy',
      });
    } finally {
      await other.kill();
    }
  });

  it('changes nothing when asked to read only', () => {
    make();
    const before = portrait(directory);
    expect(checkDatabase(path, 'full', { readonly: true }).ok).toBe(true);
    expect(portrait(directory)).toEqual(before);
  });
});

describe('a database that uses functions of its application alone', () => {
  const own = `
    CREATE TABLE sums(id INTEGER PRIMARY KEY, n CHECK (twice(n) > 0));
    INSERT INTO sums VALUES(1, 1);
    CREATE INDEX t_twice ON t(twice(id));`;

  it('is sound when every table is', () => {
    make(2_000, own);
    expect(checkDatabase(path, 'full')).toMatchObject({ ok: true, outcome: 'ok' });
  });

  it.each(['t', 'sums'])('is corrupt when table %s is', (table) => {
    make(2_000, own);
    overwrite((rootOf(table) - 1) * 4096, Buffer.alloc(4096));
    expect(checkDatabase(path, 'quick').outcome).toBe('corrupt');
  });
});

describe('checkConnection', () => {
  it('works inside a read transaction and leaves it open', () => {
    make();
    const database = new Database(path, { readonly: true });
    database.exec('BEGIN');
    expect(checkConnection(database, 'quick')).toEqual({ ok: true, messages: [] });
    expect(database.inTransaction).toBe(true);
    database.close();
  });

  it('throws what is not damage', async () => {
    make();
    const other = SqliteChild.start();
    const database = new Database(path, { timeout: 0 });
    try {
      await other.open(path);
      await other.exec('BEGIN EXCLUSIVE');
      expect(() => checkConnection(database, 'quick')).toThrow(/locked/);
    } finally {
      database.close();
      await other.kill();
    }
  });
});
