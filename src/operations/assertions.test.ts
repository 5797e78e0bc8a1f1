import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AssertionSettings } from '../config/settings.ts';
import { evaluateAssertions } from './assertions.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-assertions-'));
  await mkdir(join(directory, 'data'));
  const database = new Database(join(directory, 'data', 'app.db'));
  database.exec(`
    CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT, part BLOB);
    INSERT INTO notes VALUES(1, 'one', x'00ff'), (2, NULL, NULL);
  `);
  database.close();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function outcome(sql: string, expected: AssertionSettings['expect'], database = 'data/app.db') {
  const assertion = { name: 'a', database, sql, expect: expected };
  const [only] = evaluateAssertions([assertion], directory, new AbortController().signal);
  return only!;
}

describe('assertions on a restored database', () => {
  it.each<[string, AssertionSettings['expect'], string | null]>([
    ['SELECT 1 FROM notes', 'rows', null],
    ['SELECT 1 FROM notes WHERE id = 9', 'rows', 'no rows'],
    ['SELECT 1 FROM notes WHERE id = 9', 'no-rows', null],
    ['SELECT id, text FROM notes WHERE id = 1', 'no-rows', '1, "one"'],
    ['SELECT count(*) FROM notes', 2, null],
    ['SELECT count(*) FROM notes', 3, 'it gave 2, not 3'],
    ['SELECT text FROM notes WHERE id = 1', 'one', null],
    ['SELECT text FROM notes WHERE id = 2', null, null],
    ['SELECT text FROM notes WHERE id = 9', null, 'no rows'],
    ['SELECT part FROM notes WHERE id = 1', 'x', 'a blob of 2 bytes'],
    ['PRAGMA user_version', 0, null],
  ])('%s, expecting %j', (sql, expected, message) => {
    const found = outcome(sql, expected);
    expect(found.ok).toBe(message === null);
    if (message !== null) expect(found.message).toContain(message);
  });

  it('nothing but a query runs, and nothing is changed', () => {
    for (const sql of [
      'DELETE FROM notes',
      'DELETE FROM notes RETURNING id',
      "ATTACH '/tmp/never.db' AS other",
      'CREATE TABLE extra(x)',
      'SELECT 1; DELETE FROM notes',
      'no SQL at all',
    ]) {
      expect(outcome(sql, 'rows'), sql).toMatchObject({ ok: false });
    }
    expect(outcome('SELECT count(*) FROM notes', 2).ok).toBe(true);
    expect(readdirSync(join(directory, 'data'))).toEqual(['app.db']);
  });

  it('a database that did not come back holds nothing', () => {
    expect(outcome('SELECT 1', 'rows', 'data/other.db')).toMatchObject({ ok: false });
  });
});
