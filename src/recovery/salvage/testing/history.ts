import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { quietActivity } from '../../../kernel/activity.ts';
import { Claims } from '../../../sqlite/btree/claims.ts';
import { walkTable } from '../../../sqlite/btree/walk-table.ts';
import { openPageSource } from '../../../sqlite/format/page-source.ts';
import { type Salvaged, salvageDatabase } from '../salvage-database.ts';
import { rowsOf } from './dump.ts';

export const PAGE_BYTES = 1024;

/** A generator of numbers from 0 to below 1 that repeats itself for a seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Pages of one table of the live file, before any damage. */
export interface TablePages {
  readonly root: number;
  readonly interior: number[];
  readonly leaves: number[];
  readonly overflow: number[];
  /** By leaf. */
  readonly rowids: Map<number, bigint[]>;
}

/** A database with a past: a snapshot, writes since then, a copy of how it really was, and the file that is damaged. */
export class History {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-history-'));
  readonly snapshot = join(this.directory, 'snapshot.db');
  readonly truth = join(this.directory, 'truth.db');
  readonly live = join(this.directory, 'live.db');
  readonly #base = join(this.directory, 'base.db');
  #runs = 0;

  constructor(seed: number) {
    const random = randomOf(seed);
    const database = new Database(this.live);
    database.exec(`
      PRAGMA page_size = ${PAGE_BYTES};
      CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, body TEXT, code TEXT UNIQUE);
      CREATE INDEX notes_title ON notes(title);
      CREATE TABLE tags(id INTEGER PRIMARY KEY, note INTEGER REFERENCES notes(id), tag TEXT);
      CREATE TABLE files(name TEXT, content BLOB, size REAL);
      CREATE TABLE settings(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
      CREATE VIRTUAL TABLE search USING fts5(title);
      CREATE VIEW titles AS SELECT title FROM notes;
      CREATE TRIGGER gone AFTER DELETE ON notes BEGIN DELETE FROM tags WHERE note = old.id; END;
    `);
    add(database, 1, 400, random);
    database.exec('DELETE FROM notes WHERE id % 50 = 7');
    database.close();
    copyFileSync(this.live, this.snapshot);
    this.change((later) => {
      add(later, 401, 440, random);
      later.exec(`DELETE FROM notes WHERE id % 97 = 3; DELETE FROM settings WHERE key LIKE 'key 9%';
        UPDATE notes SET body = 'changed since' WHERE id % 89 = 5; UPDATE files SET size = 0.5 WHERE rowid % 31 = 2;`);
    });
    copyFileSync(this.live, this.#base);
  }

  /** As it was made: no damage, no further change. */
  reset(): void {
    copyFileSync(this.#base, this.live);
    copyFileSync(this.#base, this.truth);
  }

  /** Writes to the live database; what it then holds is the truth. */
  change(write: (database: Database.Database) => void): void {
    const database = new Database(this.live);
    write(database);
    database.close();
    copyFileSync(this.live, this.truth);
  }

  damage(change: (bytes: Buffer) => Buffer | undefined): void {
    const bytes = readFileSync(this.live);
    writeFileSync(this.live, change(bytes) ?? bytes);
  }

  zero(page: number): void {
    this.damage((bytes) => void bytes.fill(0, (page - 1) * PAGE_BYTES, page * PAGE_BYTES));
  }

  swap(left: number, right: number): void {
    this.damage((bytes) => {
      const copy = Buffer.from(bytes.subarray((left - 1) * PAGE_BYTES, left * PAGE_BYTES));
      bytes.copyWithin((left - 1) * PAGE_BYTES, (right - 1) * PAGE_BYTES, right * PAGE_BYTES);
      copy.copy(bytes, (right - 1) * PAGE_BYTES);
    });
  }

  pagesOf(table: string): TablePages {
    const database = new Database(this.truth);
    const root = database
      .prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?')
      .pluck()
      .get(table)!;
    database.close();
    const source = openPageSource(this.truth);
    const claims = new Claims();
    const pages: TablePages = { root, interior: [], leaves: [], overflow: [], rowids: new Map() };
    for (const event of walkTable(source, root, claims)) {
      if (event.type !== 'row') continue;
      const rowids = pages.rowids.get(event.page) ?? [];
      pages.rowids.set(event.page, [...rowids, BigInt(event.rowid)]);
    }
    for (let page = 1; page <= source.pageCount; page += 1) {
      const role = claims.ownerOf(page)?.role;
      if (role === 'interior') pages.interior.push(page);
      if (role === 'leaf') pages.leaves.push(page);
      if (role === 'overflow') pages.overflow.push(page);
    }
    source.close();
    return pages;
  }

  salvage(withSnapshot = true, schemaFrom: 'damaged' | 'snapshot' = 'damaged'): Promise<Salvaged> {
    this.#runs += 1;
    return salvageDatabase(
      {
        damaged: this.live,
        snapshot: withSnapshot ? this.snapshot : null,
        schemaFrom,
        directory: join(this.directory, `run-${this.#runs}`),
      },
      quietActivity(),
    );
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function add(database: Database.Database, first: number, last: number, random: () => number): void {
  const note = database.prepare('INSERT INTO notes VALUES(?, ?, ?, ?)');
  const tag = database.prepare('INSERT INTO tags(note, tag) VALUES(?, ?)');
  const file = database.prepare('INSERT INTO files VALUES(?, ?, ?)');
  const setting = database.prepare('INSERT INTO settings VALUES(?, ?)');
  const search = database.prepare('INSERT INTO search(rowid, title) VALUES(?, ?)');
  database.transaction(() => {
    for (let id = first; id <= last; id += 1) {
      const body = `body ${id} `.repeat(1 + Math.floor(random() * (id % 40 === 0 ? 300 : 12)));
      note.run(id, `note ${Math.floor(random() * 1e6)}`, body, `code-${id}`);
      tag.run(id, `tag ${id % 13}`);
      const bytes = Array.from({ length: Math.floor(random() * 400) }, () => 1 + (id % 255));
      file.run(`file ${id}`, Buffer.from(bytes), id / 4);
      setting.run(`key ${id}`, `value ${id} `.repeat(1 + (id % 5)));
      search.run(id, `word${id} common`);
    }
  })();
}

/** The application's own tables. */
export const TABLES = ['files', 'notes', 'search_content', 'settings', 'tags'];

export interface Difference {
  /** Rows that were there before the damage and are not in the result. */
  readonly missing: string[];
  /** Rows of the result that were not there just before the damage, though they are in the snapshot. */
  readonly old: string[];
  /** Rows of the result that never were. */
  readonly fabricated: string[];
}

export function compare(history: History, result: string): Difference {
  const truth = rowsOf(history.truth);
  const snapshot = rowsOf(history.snapshot);
  const salvaged = rowsOf(result);
  const difference: Difference = { missing: [], old: [], fabricated: [] };
  for (const table of TABLES) {
    const before = new Set(truth.get(table));
    const then = new Set(snapshot.get(table));
    const now = new Set(salvaged.get(table));
    for (const row of before) if (!now.has(row)) difference.missing.push(`${table} ${row}`);
    for (const row of now) {
      if (before.has(row)) continue;
      (then.has(row) ? difference.old : difference.fabricated).push(`${table} ${row}`);
    }
  }
  return difference;
}
