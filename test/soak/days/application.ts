import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

/** What an application keeps: a database in a journal mode, or none; and files beside it, or none. */
export interface ApplicationKind {
  readonly name: string;
  readonly journalMode: 'wal' | 'delete' | null;
  readonly hasFiles: boolean;
}

const DATABASE = 'app.db';
const FILES_MAX = 12;
const ROWS_MAX = 3000;

/** An application that writes as its random source says, while the daemon does nothing: what was captured is known. */
export class Application {
  readonly kind: ApplicationKind;
  readonly directory: string;
  readonly #random: () => number;
  #open: Database.Database | null = null;

  constructor(kind: ApplicationKind, directory: string, random: () => number) {
    this.kind = kind;
    this.directory = directory;
    this.#random = random;
    mkdirSync(join(directory, 'files'), { recursive: true });
    if (kind.journalMode !== null) this.#createDatabase();
    for (let count = 0; count < 3; count += 1) this.change();
  }

  get databasePath(): string {
    return join(this.directory, DATABASE);
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  #createDatabase(): void {
    const database = this.open();
    database.pragma(`journal_mode = ${this.kind.journalMode}`);
    database.exec(`
      CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, body BLOB, score REAL);
      CREATE INDEX items_name ON items (name);
      CREATE TABLE pairs (left TEXT, right TEXT, PRIMARY KEY (left, right)) WITHOUT ROWID;
    `);
  }

  open(): Database.Database {
    this.#open ??= new Database(this.databasePath);
    return this.#open;
  }

  close(): void {
    this.#open?.close();
    this.#open = null;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** Some change that a snapshot has to hold. */
  change(): void {
    const { journalMode, hasFiles } = this.kind;
    if (journalMode !== null) this.#changeDatabase();
    if (hasFiles && (journalMode === null || this.#below(2) === 0)) this.#changeFiles();
    if (this.#below(3) === 0) this.close();
  }

  #changeDatabase(): void {
    const database = this.open();
    const insert = database.prepare('INSERT INTO items (name, body, score) VALUES (?, ?, ?)');
    const pair = database.prepare('INSERT OR REPLACE INTO pairs VALUES (?, ?)');
    const write = database.transaction((count: number) => {
      for (let index = 0; index < count; index += 1) {
        insert.run(`item ${this.#below(500)}`, this.#bytes(this.#below(2000)), this.#random());
        pair.run(`left ${this.#below(400)}`, `right ${this.#below(50)}`);
      }
    });
    write(1 + this.#below(120));
    const kind = this.#below(8);
    if (kind === 0) database.exec(`DELETE FROM items WHERE id % 5 = ${this.#below(5)}`);
    if (kind === 1) database.exec(`UPDATE items SET score = score + 1 WHERE id % 9 = 0`);
    if (kind === 2) database.exec('VACUUM');
    if (kind === 3) database.exec(`DELETE FROM pairs WHERE left < 'left ${this.#below(300)}'`);
    if (kind === 4) database.pragma('wal_checkpoint(TRUNCATE)');
    database.exec(`DELETE FROM items WHERE id <= (SELECT max(id) FROM items) - ${ROWS_MAX}`);
  }

  #changeFiles(): void {
    const path = (number: number) => join(this.directory, 'files', `file-${number}`);
    const target = path(this.#below(FILES_MAX));
    writeFileSync(target, this.#bytes(1 + this.#below(60_000)));
    const other = path(this.#below(FILES_MAX));
    const kind = this.#below(4);
    if (kind === 0) renameSync(target, other);
    if (kind === 1 && other !== target) rmSync(other, { force: true });
  }

  /** Bytes that do not compress, from the seed. */
  #bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at += 4) {
      const word = Math.floor(this.#random() * 2 ** 32);
      for (let index = 0; index < 4 && at + index < length; index += 1) {
        bytes[at + index] = (word >>> (8 * index)) & 0xff;
      }
    }
    return bytes;
  }

  /** Of all that it keeps, as it is now. */
  digest(): string {
    return contentDigest(this.directory);
  }

  /** Names that may be in its directory: SQLite's own beside an open database. */
  get expectedEntries(): string[] {
    const database = this.kind.journalMode === null ? [] : [DATABASE];
    const beside =
      this.isOpen && this.kind.journalMode === 'wal' ? [`${DATABASE}-wal`, `${DATABASE}-shm`] : [];
    return [...database, ...beside, 'files'].sort();
  }
}

/** Rows of every table in the order of their content, bytes of every file, and nothing else. */
export function contentDigest(directory: string): string {
  const hash = createHash('sha256');
  const database = join(directory, DATABASE);
  if (existsSync(database)) hash.update(dump(database));
  const files = join(directory, 'files');
  const names = existsSync(files) ? readdirSync(files).sort() : [];
  for (const name of names) {
    if (!lstatSync(join(files, name)).isFile()) continue;
    const digest = createHash('sha256').update(readFileSync(join(files, name)));
    hash.update(`${name} ${digest.digest('hex')}\n`);
  }
  return hash.digest('hex');
}

function dump(path: string): string {
  const database = new Database(path);
  try {
    const hash = createHash('sha256');
    hash.update(String(database.pragma('integrity_check', { simple: true })));
    const schema = 'SELECT type, name, sql FROM sqlite_schema ORDER BY type, name';
    const queries = [
      schema,
      'SELECT id, name, hex(body), score FROM items ORDER BY id',
      'SELECT * FROM pairs ORDER BY left, right',
    ];
    for (const query of queries) {
      for (const row of database.prepare(query).raw().iterate()) hash.update(JSON.stringify(row));
    }
    return hash.digest('hex');
  } finally {
    database.close();
  }
}
