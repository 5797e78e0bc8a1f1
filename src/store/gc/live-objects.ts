import Database from 'better-sqlite3';
import { catalogFailure } from '../catalog/catalog.ts';

/** How an object was found to be needed: a tree, a chunk, or a node so many levels above chunks. */
export type Role = 'tree' | 'chunk' | number;

/** What a pack holds, as the catalog says. */
export interface PackUse {
  readonly name: string;
  readonly bytes: number;
  readonly liveObjects: number;
  /** Records and their entries in the footer. */
  readonly liveBytes: number;
  readonly deadChunks: number;
}

/** Header, and entry in the footer. */
const OVERHEAD_BYTES = 164;
const roleNumber = (role: Role): number => (role === 'tree' ? -1 : role === 'chunk' ? 0 : role);
const bytesOf = (id: string): Buffer => Buffer.from(id, 'hex');

/**
 * The objects that are needed, in a temporary table beside the catalog: memory stays bounded however many there
 * are. An id names bytes, not a kind, so that what was seen as a chunk may still have to be walked as a tree.
 */
export class LiveObjects {
  readonly #path: string;
  readonly #database: Database.Database;
  readonly #add: Database.Statement<[Buffer, number]>;
  readonly #has: Database.Statement<[Buffer]>;

  constructor(catalogPath: string) {
    this.#path = catalogPath;
    this.#database = new Database(catalogPath, { readonly: true, timeout: 10_000 });
    try {
      this.#database.pragma('temp_store = FILE');
      this.#database.pragma('temp.cache_size = -16000');
      this.#database.exec(
        'CREATE TEMP TABLE live (id BLOB NOT NULL, role INTEGER NOT NULL, PRIMARY KEY (id, role)) WITHOUT ROWID',
      );
      this.#add = this.#database.prepare('INSERT OR IGNORE INTO temp.live VALUES (?, ?)');
      this.#has = this.#database.prepare('SELECT 1 FROM temp.live WHERE id = ?');
    } catch (error) {
      this.#database.close();
      throw catalogFailure(catalogPath, error);
    }
  }

  /** False where it was known in this role. */
  add(id: string, role: Role): boolean {
    return this.#guard(() => this.#add.run(bytesOf(id), roleNumber(role)).changes > 0);
  }

  has(id: string): boolean {
    return this.#guard(() => this.#has.get(bytesOf(id)) !== undefined);
  }

  /** A needed delta needs its base. */
  addBases(): void {
    this.#guard(() =>
      this.#database.exec(
        `INSERT OR IGNORE INTO temp.live
           SELECT objects.base, 0 FROM temp.live JOIN objects ON objects.id = live.id
           WHERE objects.base IS NOT NULL`,
      ),
    );
  }

  /** One that is needed and that the catalog does not know; null where there is none. */
  missing(): string | null {
    const row = this.#guard(() =>
      this.#database
        .prepare<[], { id: Buffer }>(
          'SELECT id FROM temp.live WHERE id NOT IN (SELECT id FROM objects) LIMIT 1',
        )
        .get(),
    );
    return row?.id.toString('hex') ?? null;
  }

  /** Deltas that nothing needs, and whose base, needed as little, stands in one of these packs. */
  baselessWithout(packs: readonly string[]): string[] {
    return this.#guard(() => {
      this.#database.exec('CREATE TEMP TABLE going (name BLOB PRIMARY KEY) WITHOUT ROWID');
      const add = this.#database.prepare<[Buffer]>('INSERT INTO temp.going VALUES (?)');
      for (const name of packs) add.run(bytesOf(name));
      const ids = this.#database
        .prepare<[], Buffer>(
          `SELECT delta.id FROM objects AS delta
             JOIN objects AS full ON full.id = delta.base
             JOIN packs ON packs.number = full.pack
           WHERE packs.name IN (SELECT name FROM temp.going)
             AND delta.id NOT IN (SELECT id FROM temp.live)
             AND full.id NOT IN (SELECT id FROM temp.live)`,
        )
        .pluck()
        .all();
      this.#database.exec('DROP TABLE temp.going');
      return ids.map((id) => id.toString('hex'));
    });
  }

  packs(): PackUse[] {
    const rows = this.#guard(() =>
      this.#database
        .prepare<[], Omit<PackUse, 'name'> & { name: Buffer }>(
          `SELECT packs.name, packs.bytes, coalesce(liveObjects, 0) AS liveObjects,
           coalesce(liveBytes, 0) AS liveBytes, coalesce(deadChunks, 0) AS deadChunks
         FROM packs LEFT JOIN (
           SELECT pack, sum(isLive) AS liveObjects, sum(isLive * (stored + ${OVERHEAD_BYTES})) AS liveBytes,
             sum(NOT isLive AND kind = 1) AS deadChunks
           FROM (
             SELECT pack, stored, kind,
               EXISTS (SELECT 1 FROM temp.live WHERE live.id = objects.id) AS isLive
             FROM objects
           ) GROUP BY pack
         ) AS held ON held.pack = packs.number ORDER BY packs.number`,
        )
        .all(),
    );
    return rows.map((row) => ({ ...row, name: row.name.toString('hex') }));
  }

  /** @throws REPO_CORRUPT where SQLite says that what it reads is damaged */
  #guard<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw catalogFailure(this.#path, error);
    }
  }

  close(): void {
    this.#database.close();
  }
}
