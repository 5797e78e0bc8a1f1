import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { SourceSettings } from '../../config/settings.ts';
import { testSource } from '../../config/testing/settings.ts';
import { type Activity, quietActivity } from '../../kernel/activity.ts';
import { isoTime, systemClock } from '../../kernel/clock.ts';
import { databaseFingerprint } from '../../sqlite/fingerprint.ts';
import { parseHeader } from '../../sqlite/header.ts';
import type { DatabaseCheck, Manifest, ManifestDatabase } from '../../store/manifests/manifest.ts';
import { initRepository, openReader, openWriter } from '../../store/repository.ts';
import { manifestOf, sourceOf } from '../../store/testing/manifests.ts';
import type { DatabaseEntry } from '../../store/trees/tree-entry.ts';
import { type RecoverRequest, type RecoverSourceResult, recoverSource } from '../recover-source.ts';

/** A source with real databases, a real repository and a state directory, all of one test. */

export const PAGE_BYTES = 4096;

export interface SnapshotOptions {
  /** What the snapshot says its checks found. */
  readonly check?: Partial<DatabaseCheck>;
  readonly walBytes?: number;
  /** The snapshot's moment; now by default. */
  readonly capturedAtMs?: number;
  /** Instead of the file's own bytes, e.g. with its WAL applied. */
  readonly images?: Readonly<Record<string, Buffer>>;
}

export class Workbench {
  readonly directory: string;
  readonly data: string;
  readonly state: string;
  readonly repository: string;
  readonly source: SourceSettings;

  private constructor(directory: string) {
    this.directory = directory;
    this.data = join(directory, 'data');
    this.state = join(directory, 'state');
    this.repository = join(directory, 'repository');
    this.source = testSource({
      roots: [{ class: 'data', name: null, path: this.data, required: true }],
    });
  }

  static async create(): Promise<Workbench> {
    const directory = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-recovery-')));
    const bench = new Workbench(directory);
    await mkdir(bench.data);
    await mkdir(bench.state);
    return bench;
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.data, name);
  }

  /** Makes a snapshot of the named databases as their files are; nobody has them open. */
  async snapshot(names: readonly string[], options: SnapshotOptions = {}): Promise<string> {
    await initRepository(this.repository, { clock: systemClock });
    const writer = await openWriter(this.repository, {
      codec: 'none',
      verifyWrites: 'all',
      clock: systemClock,
      lockWaitMs: 10_000,
      purpose: 'test',
    });
    try {
      const entries: DatabaseEntry[] = [];
      const databases: ManifestDatabase[] = [];
      for (const name of names) {
        const image = options.images?.[name] ?? readFileSync(this.path(name));
        const content = await writer.writeContent(sourceOf(image), null, quietActivity());
        const owner = { mode: 0o600, uid: 0, gid: 0, mtimeNs: '0' };
        entries.push({ type: 'database', name, ...owner, content });
        databases.push(await this.#databaseFacts(name, image, options));
      }
      const tree = await writer.writeTree(entries);
      const at = isoTime(options.capturedAtMs ?? systemClock.nowMs());
      const { id } = await writer.commitSnapshot(
        (statistics) =>
          manifestOf(tree, statistics, {
            source: { id: 'app', name: 'app' },
            startedAt: at,
            capturedAt: at,
            finishedAt: at,
            databases,
            statistics: {
              files: 0,
              directories: 0,
              symlinks: 0,
              databases: databases.length,
              totalBytes: entries.reduce((sum, { content }) => sum + content.bytes, 0),
              readBytes: 0,
              ...statistics,
            },
          }) satisfies Manifest,
        quietActivity(),
      );
      return id;
    } finally {
      await writer.close();
    }
  }

  async #databaseFacts(
    name: string,
    image: Buffer,
    { check, walBytes = 0 }: SnapshotOptions,
  ): Promise<ManifestDatabase> {
    const header = parseHeader(image)!;
    return {
      path: `data/${name}`,
      journalMode: header.journalMode,
      pageBytes: header.pageBytes,
      pageCount: image.length / header.pageBytes,
      encoding: header.encoding,
      autoVacuum: header.autoVacuum,
      userVersion: header.userVersion,
      applicationId: header.applicationId,
      schemaCookie: header.schemaCookie,
      changeCounter: header.changeCounter,
      walBytes,
      fingerprint: await databaseFingerprint(this.path(name)),
      check: {
        level: 'quick',
        ok: true,
        messages: [],
        durationMs: 0,
        at: isoTime(systemClock.nowMs()),
        ...check,
      },
      method: 'pinned',
    };
  }

  recover(
    options: Partial<RecoverRequest> = {},
    activity: Activity = quietActivity(),
  ): Promise<RecoverSourceResult> {
    const request: RecoverRequest = {
      source: this.source,
      stateDirectory: this.state,
      scratchDirectory: join(this.state, 'scratch'),
      jobId: null,
      mode: 'if-needed',
      dryRun: false,
      ...options,
    };
    return recoverSource(
      request,
      { openRepository: () => openReader(this.repository) },
      activity,
      systemClock,
    );
  }

  /** Names in the data directory. */
  names(): string[] {
    return readdirSync(this.data).sort();
  }
}

/** Overwrites part of a file in place and syncs it, as a failing disk might. */
export function overwrite(path: string, position: number, bytes: Buffer): void {
  const handle = openSync(path, 'r+');
  try {
    writeSync(handle, bytes, 0, bytes.length, position);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

export function zeroPage(path: string, page: number): void {
  overwrite(path, (page - 1) * PAGE_BYTES, Buffer.alloc(PAGE_BYTES));
}

export function rootPage(path: string, name: string): number {
  return query(path, (database) =>
    database
      .prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?')
      .pluck()
      .get(name),
  )!;
}

export function query<T>(path: string, run: (database: Database.Database) => T): T {
  const database = new Database(path, { fileMustExist: true });
  try {
    return run(database);
  } finally {
    database.close();
  }
}

/** Children of an interior page of an index or table, the right-most last. */
export function childPages(path: string, page: number): number[] {
  const bytes = readFileSync(path).subarray((page - 1) * PAGE_BYTES, page * PAGE_BYTES);
  const cells = bytes.readUInt16BE(3);
  const pages = Array.from({ length: cells }, (_, cell) =>
    bytes.readUInt32BE(bytes.readUInt16BE(12 + cell * 2)),
  );
  return [...pages, bytes.readUInt32BE(8)];
}

/** A database with a table, two indexes, a WITHOUT ROWID table and full-text search, deterministic. */
export function makeDatabase(
  path: string,
  options: { readonly rows?: number; readonly journalMode?: 'wal' | 'delete' } = {},
): void {
  const database = new Database(path);
  database.pragma(`journal_mode = ${options.journalMode ?? 'delete'}`);
  database.exec(`
    CREATE TABLE notes(id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, body TEXT, code TEXT UNIQUE);
    CREATE INDEX notes_title ON notes(title);
    CREATE TABLE settings(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE tags(id INTEGER PRIMARY KEY, note INTEGER REFERENCES notes(id), tag TEXT);
    CREATE VIRTUAL TABLE search USING fts5(title, body);
  `);
  addNotes(database, 1, options.rows ?? 600);
  database.close();
}

export function addNotes(database: Database.Database, first: number, last: number): void {
  const note = database.prepare('INSERT INTO notes VALUES(?, ?, ?, ?)');
  const tag = database.prepare('INSERT INTO tags(note, tag) VALUES(?, ?)');
  const setting = database.prepare('INSERT INTO settings VALUES(?, ?)');
  const search = database.prepare('INSERT INTO search VALUES(?, ?)');
  database.transaction(() => {
    for (let id = first; id <= last; id += 1) {
      const title = `note ${(id * 7919) % 10_007}`;
      note.run(id, title, `body of ${id} `.repeat(8), `code-${(id * 104_729) % 99_991}`);
      tag.run(id, `tag ${id % 13}`);
      setting.run(`key ${id}`, id);
      search.run(title, `word${id} common text`);
    }
  })();
}

export interface Contents {
  readonly notes: unknown[];
  readonly tags: unknown[];
  readonly settings: unknown[];
  readonly found: unknown[];
}

/** Every row, and what the full-text index finds. Not through any ordinary index. */
export function contentsOf(path: string): Contents {
  return query(path, (database) => ({
    notes: database.prepare('SELECT * FROM notes NOT INDEXED ORDER BY id').all(),
    tags: database.prepare('SELECT * FROM tags ORDER BY id').all(),
    settings: database.prepare('SELECT * FROM settings ORDER BY key').all(),
    found: database
      .prepare(`SELECT rowid FROM search WHERE search MATCH 'common' ORDER BY 1`)
      .all(),
  }));
}
