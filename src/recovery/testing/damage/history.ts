import type Database from 'better-sqlite3';
import type { Random } from './random.ts';
import type { Shape } from './shape.ts';

/** What an application might do to its database, in phases; every phase leaves no row behind that breaks a rule. */

const NOTES = 900;
const SETTINGS = 500;
const LINES = 600;
const FILES = 24;
/** Notes from here on are deleted before the snapshot: their pages fill the freelist. */
const DEAD_FROM = 640;

const WORDS = ['lorem', 'ipsum', 'dolor', 'sit', 'amet', 'élan', 'straße', '日本', 'naïve', '🙂'];

export class History {
  readonly #database: Database.Database;
  readonly #random: Random;
  readonly #bodyWords: number;
  readonly #pageBytes: number;

  constructor(database: Database.Database, random: Random, { pageBytes }: Shape) {
    this.#database = database;
    this.#random = random;
    this.#pageBytes = pageBytes;
    // Several leaves at every page size.
    this.#bodyWords = pageBytes >= 16_384 ? 60 : 12;
  }

  #words(count: number): string {
    const words = Array.from({ length: count }, () => this.#random.pick(WORDS)!);
    return `${words.join(' ')} ${this.#random.below(1_000_000)}`;
  }

  create({ pageBytes, encoding, autoVacuum }: Shape): void {
    this.#database.exec(`
      PRAGMA page_size = ${pageBytes};
      PRAGMA encoding = '${encoding}';
      PRAGMA auto_vacuum = ${autoVacuum};
      PRAGMA journal_mode = WAL;
      PRAGMA user_version = 7;
      CREATE TABLE notes(
        id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL COLLATE NOCASE, body TEXT,
        code TEXT UNIQUE, weight REAL, letters INT GENERATED ALWAYS AS (length(title)) VIRTUAL
      );
      CREATE INDEX notes_title ON notes(title);
      CREATE TABLE settings(key TEXT PRIMARY KEY, value, changed INTEGER) WITHOUT ROWID;
      CREATE INDEX settings_changed ON settings(changed);
      CREATE TABLE files(
        id INTEGER PRIMARY KEY, note INTEGER REFERENCES notes(id), name TEXT UNIQUE, content BLOB
      );
      CREATE TABLE log(at INTEGER, line TEXT);
      CREATE VIRTUAL TABLE search USING fts5(title, body);
      CREATE VIEW long_notes AS SELECT * FROM notes WHERE letters > 10;
      CREATE TRIGGER notes_log AFTER DELETE ON notes WHEN old.id < 0
        BEGIN INSERT INTO log VALUES(old.id, 'gone'); END;
    `);
  }

  addNotes(first: number, last: number): void {
    const note = this.#database.prepare(
      'INSERT INTO notes(id, title, body, code, weight) VALUES(?, ?, ?, ?, ?)',
    );
    const search = this.#database.prepare('INSERT INTO search(rowid, title, body) VALUES(?, ?, ?)');
    for (let id = first; id <= last; id += 1) {
      const [title, body] = [this.#words(3), this.#words(this.#bodyWords)];
      note.run(id, title, body, `code-${(id * 7919) % 100_003}`, this.#random.below(9_999) / 7);
      if (id % 3 === 0) search.run(id, title, body);
    }
  }

  addSettings(first: number, last: number): void {
    const insert = this.#database.prepare('INSERT INTO settings VALUES(?, ?, ?)');
    for (let index = first; index <= last; index += 1) {
      const value = index % 5 === 0 ? this.#random.below(2 ** 31) : this.#words(4);
      insert.run(`key ${(index * 613) % 10_007}`, value, this.#random.below(1_000));
    }
  }

  addLines(count: number): void {
    const insert = this.#database.prepare('INSERT INTO log VALUES(?, ?)');
    for (let index = 0; index < count; index += 1) insert.run(index, this.#words(6));
  }

  addFiles(first: number, last: number): void {
    const insert = this.#database.prepare('INSERT INTO files VALUES(?, ?, ?, ?)');
    for (let id = first; id <= last; id += 1) {
      const pages = id % 4 === 0 ? 2 : 0.1;
      const content = this.#random.bytes(40 + Math.floor(pages * this.#pageBytes));
      insert.run(id, id, `file-${id}.bin`, content);
    }
  }

  /** Everything there ever was before the snapshot. */
  fill(): void {
    this.#database.transaction(() => {
      this.addNotes(1, NOTES);
      this.addSettings(1, SETTINGS);
      this.addLines(LINES);
      this.addFiles(1, FILES);
    })();
  }

  /** Leaves a freelist full of dead rows, and gaps within pages. */
  clearOut(): void {
    this.#database.transaction(() => {
      this.#delete('notes', `id >= ${DEAD_FROM}`);
      this.#delete('search', `rowid >= ${DEAD_FROM}`);
      this.#delete('log', 'rowid % 17 = 3');
      this.#delete('settings', 'changed < 40');
    })();
  }

  #delete(table: string, where: string): void {
    this.#database.exec(`DELETE FROM ${table} WHERE ${where}`);
  }

  /** What an application does in an hour: new rows at the ends, scattered changes, few deletions. */
  work(): void {
    const random = this.#random;
    const update = this.#database.prepare('UPDATE notes SET body = ?, weight = ? WHERE id = ?');
    const change = this.#database.prepare('UPDATE settings SET value = ? WHERE changed = ?');
    this.#database.transaction(() => {
      this.addNotes(NOTES + 1, NOTES + 60);
      this.addSettings(SETTINGS + 1, SETTINGS + 10);
      this.addLines(30);
      this.addFiles(FILES + 1, FILES + 4);
    })();
    this.#database.transaction(() => {
      for (let index = 0; index < 8; index += 1) {
        update.run(this.#words(this.#bodyWords), -index, random.between(FILES + 10, DEAD_FROM - 1));
        change.run(this.#words(2), random.between(40, 999));
      }
    })();
    this.#database.transaction(() => {
      for (let index = 0; index < 6; index += 1) {
        const id = random.between(FILES + 10, DEAD_FROM - 1);
        this.#delete('notes', `id = ${id}`);
        this.#delete('search', `rowid = ${id}`);
        this.#delete('log', `rowid = ${random.between(1, LINES)}`);
      }
    })();
  }
}
