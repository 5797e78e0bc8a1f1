import Database from 'better-sqlite3';
import { durableStepSync } from '../../files/durable-steps.ts';
import { createPrivateFile } from '../../files/private-file.ts';
import { cannot, messageOf, systemCode } from '../../kernel/errors.ts';
import type { PackEntry } from '../format/pack-layout.ts';
import {
  CATALOG_SCHEMA,
  KIND_NUMBERS,
  type Location,
  locationOf,
  type ObjectCounts,
  type ObjectRow,
  type PackRow,
  PRIVATE,
  SCHEMA,
} from './catalog-schema.ts';

const ADD_OBJECT =
  'INSERT INTO objects (id, pack, offset, stored, plain, kind, base) VALUES (?, ?, ?, ?, ?, ?, ?)';
const RELOCATE_OBJECT = `${ADD_OBJECT}
  ON CONFLICT (id) DO UPDATE SET pack = excluded.pack, offset = excluded.offset,
    stored = excluded.stored, plain = excluded.plain, kind = excluded.kind, base = excluded.base`;

/** Deltas whose base is not there as a full record. */
const FORGET_UNREADABLE = `DELETE FROM objects WHERE base IS NOT NULL AND NOT EXISTS
  (SELECT 1 FROM objects AS full WHERE full.id = objects.base AND full.base IS NULL)`;

const bytesOf = (id: string): Buffer => Buffer.from(id, 'hex');

/** A delta whose base is not there as a full record, and the pack that holds it. */
export interface UnreadableDelta {
  readonly id: string;
  readonly base: string;
  readonly pack: string;
}

/**
 * The index of packs, objects and snapshots: `catalog.db`, or the same in a temporary place. Everything in it can be
 * read again from packs and manifests; whoever uses an answer checks it against a hash.
 */
export class Catalog {
  readonly path: string;
  readonly #database: Database.Database;
  readonly #find: Database.Statement<[Buffer], ObjectRow>;
  readonly #findPlainBytes: Database.Statement<[Buffer], number>;
  readonly #addObject: Database.Statement<unknown[]> | null;
  readonly #begin: Database.Statement;
  readonly #end: Database.Statement;
  #damaged = false;
  /** In a transaction that only `find` has begun. */
  #isReading = false;
  #isListing = false;
  #changes = 0;
  #counted: { readonly version: string; readonly counts: ObjectCounts } | null = null;

  private constructor(path: string, database: Database.Database) {
    this.path = path;
    this.#database = database;
    this.#find = database.prepare<[Buffer], ObjectRow>(
      `SELECT packs.name, offset, stored, plain, base
       FROM objects JOIN packs ON packs.number = objects.pack WHERE id = ?`,
    );
    this.#findPlainBytes = database
      .prepare<[Buffer], number>('SELECT plain FROM objects WHERE id = ?')
      .pluck();
    this.#begin = database.prepare('BEGIN');
    this.#end = database.prepare('COMMIT');
    // A full record serves where a delta of the same object does, and as a base besides.
    this.#addObject = database.readonly
      ? null
      : database.prepare(
          `${ADD_OBJECT}
           ON CONFLICT (id) DO UPDATE SET pack = excluded.pack, offset = excluded.offset,
             stored = excluded.stored, plain = excluded.plain, kind = excluded.kind, base = NULL
           WHERE objects.base IS NOT NULL AND excluded.base IS NULL`,
        );
  }

  /** @throws the SQLite error when the file is missing, is no database, or belongs to another repository */
  static open(path: string, repositoryId: string, mode: 'read' | 'write'): Catalog {
    const database = new Database(path, {
      readonly: mode === 'read',
      fileMustExist: true,
      timeout: 10_000,
    });
    try {
      const meta = database.prepare<[string], { value: string }>(
        'SELECT value FROM meta WHERE name = ?',
      );
      const schema = meta.get('schema')?.value;
      const owner = meta.get('repository')?.value;
      if (schema !== String(CATALOG_SCHEMA)) throw new Error(`catalog schema is ${schema}`);
      if (owner !== repositoryId) throw new Error(`catalog belongs to repository ${owner}`);
      if (mode === 'write') database.pragma('synchronous = NORMAL');
      database.pragma('cache_size = -16000');
      return new Catalog(path, database);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Creates an empty catalog in a new file. */
  static create(path: string, repositoryId: string): Catalog {
    if (path !== PRIVATE) createPrivateFile(path);
    const database = new Database(path, { timeout: 10_000 });
    if (path !== PRIVATE) database.pragma('journal_mode = WAL');
    database.pragma('synchronous = NORMAL');
    const addMeta = 'INSERT INTO meta (name, value) VALUES (?, ?)';
    commit(path, database, () => {
      database.exec(SCHEMA);
      database.prepare(addMeta).run('schema', String(CATALOG_SCHEMA));
      database.prepare(addMeta).run('repository', repositoryId);
    });
    return new Catalog(path, database);
  }

  /** One that nobody else sees, gone when it is closed. */
  static temporary(repositoryId: string): Catalog {
    return Catalog.create(PRIVATE, repositoryId);
  }

  /** True once SQLite found the file damaged; it is rebuilt when the next writer opens. */
  get isDamaged(): boolean {
    return this.#damaged;
  }

  /** What is looked up in one turn of the event loop is as of one moment; what others commit shows in the next. */
  find(id: string): Location | null {
    this.#readOn();
    const row = this.#guard(() => this.#find.get(bytesOf(id)));
    return row === undefined ? null : locationOf(row);
  }

  /** Whether it knows of an object. Cheaper than `find`. */
  has(id: string): boolean {
    return this.plainBytesOf(id) !== null;
  }

  /** Length of an object's plaintext; null where it is unknown. Cheaper than `find`. */
  plainBytesOf(id: string): number | null {
    this.#readOn();
    return this.#guard(() => this.#findPlainBytes.get(bytesOf(id))) ?? null;
  }

  /** Many look-ups follow each other: beginning and ending a transaction for each takes longer than all of them. */
  #readOn(): void {
    if (this.#isReading || this.#isListing || this.#database.inTransaction) return;
    this.#guard(() => this.#begin.run());
    this.#isReading = true;
    setImmediate(() => this.#readOff());
  }

  #readOff(): void {
    if (!this.#isReading) return;
    this.#isReading = false;
    if (this.#database.open) this.#end.run();
  }

  /** Adds a pack with its records in one transaction. `relocates`: its copies are the ones to read from now on. */
  addPack(
    name: string,
    bytes: number,
    entries: readonly PackEntry[],
    { relocates = false }: { readonly relocates?: boolean } = {},
  ): void {
    const add = relocates ? this.#database.prepare(RELOCATE_OBJECT) : this.#addObject!;
    this.#commit(() => {
      // A pack that an interrupted rewrite left has been adopted already when the rewrite is repeated.
      this.#database
        .prepare('INSERT OR IGNORE INTO packs (name, bytes) VALUES (?, ?)')
        .run(bytesOf(name), bytes);
      const number = this.#packNumber(name);
      for (const { id, base, kind, offset, storedBytes, plainBytes } of entries) {
        const baseBytes = base === null ? null : bytesOf(base);
        const kindNumber = KIND_NUMBERS[kind];
        add.run(bytesOf(id), number, offset, storedBytes, plainBytes, kindNumber, baseBytes);
      }
    });
  }

  /** Forgets objects, and the deltas that cannot be read without them. Returns the ids that it knew. */
  forget(ids: Iterable<string>): string[] {
    const forgotten: string[] = [];
    this.#commit(() => {
      const drop = this.#database.prepare<[Buffer]>('DELETE FROM objects WHERE id = ?');
      for (const id of ids) if (drop.run(bytesOf(id)).changes > 0) forgotten.push(id);
      const deltas = this.#database
        .prepare<[], { id: Buffer }>(`${FORGET_UNREADABLE} RETURNING id`)
        .all();
      forgotten.push(...deltas.map((row) => row.id.toString('hex')));
    });
    return forgotten;
  }

  /** Ids of the objects that are read from one of these packs. */
  objectsIn(packs: readonly string[]): string[] {
    return this.#guard(() => {
      const find = this.#database.prepare<[number | null], { id: Buffer }>(
        'SELECT id FROM objects WHERE pack = ?',
      );
      return packs.flatMap((name) =>
        find.all(this.#packNumber(name)).map((row) => row.id.toString('hex')),
      );
    });
  }

  /** Forgets a pack and those of its records that are not read from elsewhere, in one transaction. */
  dropPack(name: string, entries: readonly PackEntry[]): void {
    this.#commit(() => {
      const number = this.#packNumber(name);
      const drop = this.#database.prepare('DELETE FROM objects WHERE id = ? AND pack = ?');
      for (const { id } of entries) drop.run(bytesOf(id), number);
      this.#database.prepare('DELETE FROM packs WHERE number = ?').run(number);
    });
  }

  #packNumber(name: string): number | null {
    return (
      this.#database
        .prepare<[Buffer], { number: number }>('SELECT number FROM packs WHERE name = ?')
        .get(bytesOf(name))?.number ?? null
    );
  }

  /** True from `beginLoading` to `endLoading`, through crashes: deltas may lack their base. */
  get isLoading(): boolean {
    return this.#database.prepare("SELECT 1 FROM meta WHERE name = 'loading'").get() !== undefined;
  }

  /** Called before packs are added in any order. */
  beginLoading(): void {
    this.#commit(() =>
      this.#database.exec("INSERT OR IGNORE INTO meta (name, value) VALUES ('loading', 'yes')"),
    );
  }

  /** Forgets deltas whose base is not there as a full record: they cannot be read. */
  endLoading(): void {
    this.#commit(() =>
      this.#database.exec(
        `${FORGET_UNREADABLE};
         DELETE FROM meta WHERE name = 'loading';`,
      ),
    );
  }

  /** Deltas that `endLoading` would forget. */
  unreadableDeltas(limit: number): UnreadableDelta[] {
    return this.#database
      .prepare<[number], { id: Buffer; base: Buffer; name: Buffer }>(
        `SELECT id, base, packs.name FROM objects JOIN packs ON packs.number = objects.pack
         WHERE base IS NOT NULL AND NOT EXISTS
           (SELECT 1 FROM objects AS full WHERE full.id = objects.base AND full.base IS NULL)
         LIMIT ?`,
      )
      .all(limit)
      .map(({ id, base, name }) => ({
        id: id.toString('hex'),
        base: base.toString('hex'),
        pack: name.toString('hex'),
      }));
  }

  /** Every object and where it stands, in no order. The catalog must not be written meanwhile. */
  *objects(): Generator<{ id: string } & Location> {
    this.#readOff();
    const rows = this.#database
      .prepare<[], ObjectRow & { id: Buffer }>(
        `SELECT id, packs.name, offset, stored, plain, base
         FROM objects JOIN packs ON packs.number = objects.pack`,
      )
      .iterate();
    this.#isListing = true;
    try {
      for (const row of rows) yield { id: row.id.toString('hex'), ...locationOf(row) };
    } finally {
      this.#isListing = false;
    }
  }

  packs(): PackRow[] {
    return this.#guard(() =>
      this.#database
        .prepare<[], { name: Buffer; bytes: number }>('SELECT name, bytes FROM packs')
        .all()
        .map((row) => ({ name: row.name.toString('hex'), bytes: row.bytes })),
    );
  }

  /** JSON summaries by snapshot id. */
  summaries(): Map<string, string> {
    const rows = this.#guard(() =>
      this.#database
        .prepare<[], { id: Buffer; summary: string }>('SELECT id, summary FROM snapshots')
        .all(),
    );
    return new Map(rows.map((row) => [row.id.toString('hex'), row.summary]));
  }

  putSnapshot(id: string, summary: string): void {
    this.#commit(() =>
      this.#database
        .prepare('INSERT OR REPLACE INTO snapshots (id, summary) VALUES (?, ?)')
        .run(bytesOf(id), summary),
    );
  }

  dropSnapshots(ids: readonly string[]): void {
    if (ids.length === 0) return;
    this.#commit(() => {
      const drop = this.#database.prepare('DELETE FROM snapshots WHERE id = ?');
      for (const id of ids) drop.run(bytesOf(id));
    });
  }

  /** Looks at every object once for each change that anybody made to the catalog. */
  counts(): ObjectCounts {
    this.#readOff();
    return this.#guard(() => {
      // Changes of other connections, and of this one.
      const version = `${this.#database.pragma('data_version', { simple: true })}:${this.#changes}`;
      if (this.#counted?.version !== version) this.#counted = { version, counts: this.#counts() };
      return this.#counted.counts;
    });
  }

  #counts(): ObjectCounts {
    const { packs, packBytes } = this.#database
      .prepare<[], { packs: number; packBytes: number }>(
        'SELECT count(*) AS packs, coalesce(sum(bytes), 0) AS packBytes FROM packs',
      )
      .get()!;
    const objects = this.#database
      .prepare<[number], { chunks: number; deltaChunks: number; uniqueBytes: number }>(
        `SELECT count(*) AS chunks, count(base) AS deltaChunks, coalesce(sum(plain), 0) AS uniqueBytes
         FROM objects WHERE kind = ?`,
      )
      .get(KIND_NUMBERS.chunk)!;
    return { packs, packBytes, ...objects };
  }

  close(): void {
    this.#readOff();
    if (this.#changes > 0 && this.path !== PRIVATE) this.#emptyLog();
    this.#database.close();
  }

  /**
   * A reader that stays connected keeps the log from being removed with its last writer: as long as the longest there
   * ever was, beside a file that is as long by then. Where somebody reads at this moment, the next writer empties it.
   */
  #emptyLog(): void {
    try {
      this.#database.pragma('busy_timeout = 0');
      this.#database.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // What is in the log is as durable there.
    }
  }

  #commit<T>(run: () => T): T {
    this.#readOff();
    this.#changes += 1;
    return this.#guard(() => commit(this.path, this.#database, run));
  }

  /** @throws REPO_CORRUPT where SQLite says that the file is damaged */
  #guard<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      const failure = catalogFailure(this.path, error);
      this.#damaged ||= failure !== error;
      throw failure;
    }
  }
}

/** REPO_CORRUPT where SQLite says that the catalog is damaged, which it may say as well when a disk fails; else the error itself. */
export function catalogFailure(path: string, error: unknown): unknown {
  if (!/^SQLITE_(CORRUPT|NOTADB)/.test(systemCode(error) ?? '')) return error;
  return cannot('REPO_CORRUPT', 'use catalog', path, messageOf(error), {
    hint: 'Run "holdfast repository rebuild", or just try again: the next writer rebuilds it.',
    retryable: true,
    details: { catalog: path },
    cause: error,
  });
}

function commit<T>(path: string, database: Database.Database, run: () => T): T {
  const transaction = database.transaction(run);
  return path === PRIVATE ? transaction() : durableStepSync('sqlite-commit', path, transaction);
}
