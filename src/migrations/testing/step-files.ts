import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MigrationSettings } from '../../config/settings.ts';

/** Three versions of a small application: tables, a column, and a parent table made anew by a module. */
export const ORDER_STEPS: Readonly<Record<string, string>> = {
  '1.0.0_tables.up.sql': `
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE orders (
      id INTEGER PRIMARY KEY,
      customerId INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
      amount INTEGER
    );
    CREATE TRIGGER noNegative BEFORE INSERT ON orders WHEN new.amount < 0 BEGIN
      SELECT raise(ABORT, 'negative; refused');
    END;`,
  '1.0.0_tables.down.sql': 'DROP TABLE orders; DROP TABLE customers;',
  '1.9.0_state.up.sql': "ALTER TABLE orders ADD COLUMN state TEXT DEFAULT 'new';",
  '1.9.0_state.down.sql': 'ALTER TABLE orders DROP COLUMN state;',
  // Comes after 1.9.0, though not as text.
  '1.10.0_names.mjs': `
    export function up(database) {
      database.exec('CREATE TABLE next (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (length(name) > 0), initial TEXT)');
      for (const { id, name } of database.all('SELECT id, name FROM customers ORDER BY id')) {
        database.run('INSERT INTO next VALUES (?, ?, ?)', id, name, name.slice(0, 1));
      }
      database.exec('DROP TABLE customers; ALTER TABLE next RENAME TO customers');
    }
    export async function down(database) {
      await Promise.resolve();
      database.exec('CREATE TABLE previous (id INTEGER PRIMARY KEY, name TEXT)');
      database.run('INSERT INTO previous SELECT id, name FROM customers');
      database.exec('DROP TABLE customers; ALTER TABLE previous RENAME TO customers');
    }`,
};

export const ORDER_VERSIONS = ['1.0.0', '1.9.0', '1.10.0'] as const;

/** Writes the files of a directory of steps, in the place of those that are there. */
export function writeSteps(directory: string, files: Readonly<Record<string, string>>): string {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { mode: 0o755 });
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(directory, name), text, { mode: 0o644 });
  }
  return directory;
}

export function migrationSettings(
  directory: string,
  changes: Partial<MigrationSettings> = {},
): MigrationSettings {
  return {
    database: 'data/app.db',
    directory,
    versionQuery: null,
    versionStatement: null,
    assumeVersion: null,
    ...changes,
  };
}
