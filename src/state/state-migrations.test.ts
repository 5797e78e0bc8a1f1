import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { migrateState, type StateMigration } from './state-migrations.ts';

let database: Database.Database;

beforeEach(() => {
  database = new Database(':memory:');
});
afterEach(() => database.close());

const BEGIN: StateMigration = {
  version: 1,
  sql: `
    CREATE TABLE jobs (id TEXT PRIMARY KEY, status TEXT CHECK (status IN ('queued', 'done')));
    CREATE TABLE logs (jobId TEXT REFERENCES jobs (id) ON DELETE CASCADE, message TEXT);
  `,
};

/** A CHECK can only be changed by making the table anew. */
const rebuildKeeping = (condition: string): StateMigration => ({
  version: 2,
  sql: `
    CREATE TABLE jobs2 (id TEXT PRIMARY KEY, status TEXT CHECK (status IN ('queued', 'done', 'lost')));
    INSERT INTO jobs2 SELECT * FROM jobs WHERE ${condition};
    DROP TABLE jobs;
    ALTER TABLE jobs2 RENAME TO jobs;
  `,
});

function begun(): void {
  migrateState(database, 'state.db', [BEGIN]);
  database.exec("INSERT INTO jobs VALUES ('a', 'done'), ('b', 'done')");
  database.exec("INSERT INTO logs VALUES ('a', 'one'), ('b', 'two')");
}

const logs = (): unknown => database.prepare('SELECT message FROM logs ORDER BY 1').pluck().all();

it('M-56: a table that others refer to is made anew without a row of theirs being lost', () => {
  begun();
  migrateState(database, 'state.db', [BEGIN, rebuildKeeping('true')]);
  expect(logs()).toEqual(['one', 'two']);
  database.exec("UPDATE jobs SET status = 'lost' WHERE id = 'a'");
  // And from then on the keys hold again.
  expect(database.pragma('foreign_keys', { simple: true })).toBe(1);
  database.exec("DELETE FROM jobs WHERE id = 'a'");
  expect(logs()).toEqual(['two']);
});

it('M-56: a step that would leave rows without what they refer to is undone whole', () => {
  begun();
  expect(() => migrateState(database, 'state.db', [BEGIN, rebuildKeeping("id = 'a'")])).toThrow(
    '1 orphans',
  );
  expect(logs()).toEqual(['one', 'two']);
  expect(database.pragma('user_version', { simple: true })).toBe(1);
});
