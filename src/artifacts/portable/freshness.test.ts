import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { freshnessOf } from './freshness.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fresh-'));
  mkdirSync(join(directory, 'scratch'));
  mkdirSync(join(directory, 'data'));
  path = join(directory, 'data/app.db');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function look(rule: 'no-file' | 'no-tables' | 'no-rows' = 'no-tables', at = path) {
  const scratchDirectory = join(directory, 'scratch');
  const signal = new AbortController().signal;
  return freshnessOf(at, rule, { scratchDirectory, timeoutMs: 1000, clock: systemClock, signal });
}

function make(sql: string, journalMode = 'wal'): void {
  const database = new Database(path);
  database.pragma(`journal_mode = ${journalMode}`);
  database.exec(sql);
  database.close();
}

describe('a place', () => {
  it('C-13, F18: is fresh where there is no file, an empty one, or, as the rule says, no table or no row', async () => {
    expect(await look()).toEqual({ fresh: true, state: 'it is missing' });
    writeFileSync(path, '');
    expect(await look()).toEqual({ fresh: true, state: 'it is empty' });
    make('CREATE TABLE gone (a); DROP TABLE gone');
    expect(await look('no-file')).toMatchObject({ fresh: false });
    expect(await look('no-tables')).toEqual({ fresh: true, state: 'it has no tables' });
    expect(await look('no-rows')).toMatchObject({ fresh: true });
    make('CREATE TABLE notes (body); CREATE VIRTUAL TABLE search USING fts5(body)');
    expect(await look('no-tables')).toMatchObject({ fresh: false });
    make("INSERT INTO notes VALUES ('one')", 'delete');
    expect(await look('no-rows')).toEqual({ fresh: false, state: 'it has rows in "notes"' });
  });

  it('C-13: with tables and no row is fresh only where the rule says so', async () => {
    make('CREATE TABLE notes (body)');
    expect(await look('no-tables')).toEqual({ fresh: false, state: 'it has a table' });
    expect(await look('no-rows')).toEqual({ fresh: true, state: 'it has no rows' });
  });

  it('C-D1: a log or journal beside a file that is missing or empty may hold data: not fresh', async () => {
    for (const suffix of ['-wal', '-journal']) {
      writeFileSync(`${path}${suffix}`, 'pages');
      expect(await look()).toMatchObject({ fresh: false });
      writeFileSync(path, '');
      expect(await look()).toMatchObject({ fresh: false });
      await rm(path);
      await rm(`${path}${suffix}`);
    }
  });

  it('C-D8: what cannot be looked at is an error, never fresh: only ENOENT means that there is nothing', async () => {
    writeFileSync(join(directory, 'file'), '');
    const belowFile = join(directory, 'file/app.db');
    await expect(look('no-tables', belowFile)).rejects.toMatchObject({ code: 'IO_ERROR' });
    symlinkSync('loop', join(directory, 'loop'));
    const behindLoop = join(directory, 'loop/app.db');
    await expect(look('no-tables', behindLoop)).rejects.toMatchObject({ code: 'IO_ERROR' });
  });

  it.skipIf(process.getuid?.() === 0)('C-D8: permission denied is an error', async () => {
    const closed = join(directory, 'closed');
    mkdirSync(closed, { mode: 0o000 });
    await expect(look('no-tables', join(closed, 'app.db'))).rejects.toMatchObject({
      code: 'IO_ERROR',
    });
  });

  it('C-13: that is no database, or one that is in use, is looked at without a change to anything', async () => {
    writeFileSync(path, 'these are notes, not a database'.repeat(100));
    expect(await look()).toMatchObject({ fresh: false });
    await rm(path);
    make('CREATE TABLE notes (body)');
    const application = new Database(path);
    application.exec("BEGIN; INSERT INTO notes VALUES ('mine')");
    const before = readdirSync(join(directory, 'data'));
    expect(await look('no-rows')).toMatchObject({ fresh: true });
    application.exec('COMMIT');
    expect(await look('no-rows')).toMatchObject({ fresh: false });
    expect(readdirSync(join(directory, 'data'))).toEqual(before);
    application.close();
    const closed = readdirSync(join(directory, 'data'));
    await look('no-rows');
    expect(readdirSync(join(directory, 'data'))).toEqual(closed);
  });
});
