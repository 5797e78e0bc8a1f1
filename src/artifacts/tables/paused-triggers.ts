import type Database from 'better-sqlite3';
import { cannot } from '../../kernel/errors.ts';
import { quoted } from './table-form.ts';

interface Trigger {
  readonly name: string;
  readonly sql: string;
}

/**
 * Triggers that are out of the way while rows are imported: what they did when the rows were written first is in the
 * rows already. They are dropped and made again within one transaction, so that nobody ever sees the database without.
 */
export class PausedTriggers {
  readonly #database: Database.Database;
  readonly #paused: Trigger[] = [];

  constructor(database: Database.Database) {
    this.#database = database;
  }

  pause(table: string): void {
    const triggers = this.#database
      .prepare<[string], Trigger>(
        `SELECT name, sql FROM main.sqlite_schema
         WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE ORDER BY rowid`,
      )
      .all(table);
    for (const { name } of triggers) this.#database.exec(`DROP TRIGGER main.${quoted(name)}`);
    this.#paused.push(...triggers);
  }

  /** @throws UNSUPPORTED_FORMAT when one would not be what it was */
  resume(): void {
    const text = this.#database
      .prepare<[string], string>(
        `SELECT sql FROM main.sqlite_schema WHERE type = 'trigger' AND name = ?`,
      )
      .pluck();
    for (const { name, sql } of this.#paused) {
      // One statement, and no other than this: the schema of a file may say anything.
      if (/^CREATE TRIGGER /.test(sql)) this.#database.prepare(sql).run();
      if (text.get(name) !== sql) {
        throw cannot('UNSUPPORTED_FORMAT', 'make trigger', name, 'its definition is not its own', {
          hint: 'Nothing was imported. Drop the trigger and make it again.',
        });
      }
    }
    this.#paused.length = 0;
  }
}
