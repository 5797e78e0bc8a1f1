import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { checkDatabase } from '../../sqlite/database-check.ts';
import { salvageDatabase } from './salvage-database.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-salvage-'));
  path = join(directory, 'app.db');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A few rows, then a definition whose text is changed as damage would. */
function make(name: string, from: string, to: string): void {
  const database = new Database(path);
  database.unsafeMode(true);
  database.exec(`CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);
    INSERT INTO notes VALUES (1, 'one'), (2, 'two');
    CREATE VIRTUAL TABLE search USING fts5(title);
    INSERT INTO search VALUES ('first words'), ('second words');
    PRAGMA writable_schema = ON`);
  const update = 'UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = ?';
  expect(database.prepare(update).run(from, to, name).changes).toBe(1);
  database.close();
}

async function salvaged<T>(use: (database: Database.Database) => T): Promise<T> {
  const request = { damaged: path, snapshot: null, schemaFrom: 'damaged' } as const;
  const result = await salvageDatabase(
    { ...request, directory: join(directory, 'new') },
    quietActivity(),
  );
  expect(checkDatabase(result.path, 'full')).toMatchObject({ outcome: 'ok', messages: [] });
  const database = new Database(result.path);
  try {
    return use(database);
  } finally {
    database.close();
  }
}

const pluck = (sql: string) => (database: Database.Database) =>
  database.prepare<[], unknown>(sql).pluck().all();

describe('a definition that damage changed, and that is still one', () => {
  it('of a shadow table: it is made as its module makes it, and the index is whole', async () => {
    make('search_docsize', 'id INTEGER', 'md INTEGER');
    const matches = pluck(`SELECT rowid FROM search WHERE search MATCH 'second'`);
    expect(await salvaged(matches)).toEqual([2]);
  });

  it('of another name than the schema says: its rows are kept under the one that it makes', async () => {
    make('notes', 'TABLE notes', 'TABLE motes');
    expect(await salvaged(pluck('SELECT body FROM motes'))).toEqual(['one', 'two']);
  });

  it('of a full-text table, which does not parse any more: the other tables and its content stay', async () => {
    make('search', 'fts5(title)', 'fts5(title');
    const both = pluck('SELECT body FROM notes UNION ALL SELECT c0 FROM search_content');
    expect(await salvaged(both)).toEqual(['one', 'two', 'first words', 'second words']);
  });
});
