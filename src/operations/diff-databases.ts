import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { messageOf } from '../kernel/errors.ts';
import { CHUNK_BYTES } from '../kernel/limits.ts';
import type { Content } from '../store/chunks/content.ts';
import { extractContent } from '../store/chunks/extract-content.ts';
import type { StoreReader } from '../store/store.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import type { OperationContext } from './operation.ts';

/** Larger images are not laid out in scratch merely to count their rows. */
const IMAGE_BYTES_MAX = 16 * 2 ** 30;
/** Tables and schema objects told of one database. */
const NAMES_MAX = 500;

/** A database whose pages differ, or that stands on one side alone. */
export interface ChangedDatabase {
  readonly path: string;
  readonly before: TreeEntry | null;
  readonly after: TreeEntry | null;
}

export interface TableDifference {
  readonly name: string;
  /** Null where the table is not there, or cannot be read to its end. */
  readonly rowsBefore: number | null;
  readonly rowsAfter: number | null;
}

export interface DatabaseDifference {
  readonly path: string;
  /** Chunks that differ, as a bound of how much was written. */
  readonly changedBytesMax: number;
  readonly schema: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly string[];
  };
  /** Tables whose number of rows changed, or that only one side has. */
  readonly tables: readonly TableDifference[];
  readonly tablesUnchanged: number;
  /** Why schema and rows were not compared; null where they were. */
  readonly skipped: string | null;
}

/** What one side of a database is, as SQL sees it. */
interface Picture {
  /** `table orders` → its SQL. */
  readonly schema: ReadonlyMap<string, string>;
  readonly rows: ReadonlyMap<string, number | null>;
}

const EMPTY_PICTURE: Picture = { schema: new Map(), rows: new Map() };

const contentOf = (entry: TreeEntry | null): Content | null =>
  entry?.type === 'database' ? entry.content : null;

/** Schema and row counts of every database that differs, one at a time, each side laid out in scratch. */
export async function diffDatabases(
  reader: StoreReader,
  changed: readonly ChangedDatabase[],
  context: OperationContext,
): Promise<DatabaseDifference[]> {
  const { activity } = context;
  const differences: DatabaseDifference[] = [];
  for (const [filesDone, { path, before, after }] of changed.entries()) {
    activity.signal.throwIfAborted();
    const totalFiles = changed.length;
    activity.progress({ phase: 'compare databases', currentFile: path, filesDone, totalFiles });
    const sides = [contentOf(before), contentOf(after)] as const;
    const changedBytesMax = await changedBytes(reader, sides);
    differences.push({ path, changedBytesMax, ...(await compareImages(reader, sides, context)) });
  }
  return differences;
}

async function changedBytes(
  reader: StoreReader,
  [before, after]: readonly [Content | null, Content | null],
): Promise<number> {
  const old = before === null ? [] : reader.chunkIds(before);
  const known = new Set<string>();
  for await (const id of old) known.add(id);
  let differing = 0;
  for await (const id of after === null ? [] : reader.chunkIds(after)) {
    if (!known.has(id)) differing += 1;
  }
  return Math.min(differing * CHUNK_BYTES, after?.bytes ?? 0);
}

async function compareImages(
  reader: StoreReader,
  sides: readonly [Content | null, Content | null],
  context: OperationContext,
): Promise<Omit<DatabaseDifference, 'path' | 'changedBytesMax'>> {
  const nothing = {
    schema: { added: [], removed: [], changed: [] },
    tables: [],
    tablesUnchanged: 0,
  };
  if (sides.some((side) => (side?.bytes ?? 0) > IMAGE_BYTES_MAX)) {
    return { ...nothing, skipped: 'it is too large' };
  }
  try {
    const before = await pictureOf(reader, sides[0], context);
    const after = await pictureOf(reader, sides[1], context);
    return { ...comparePictures(before, after), skipped: null };
  } catch (error) {
    context.activity.signal.throwIfAborted();
    return { ...nothing, skipped: messageOf(error) };
  }
}

async function pictureOf(
  reader: StoreReader,
  content: Content | null,
  { activity, scratchDirectory }: OperationContext,
): Promise<Picture> {
  if (content === null) return EMPTY_PICTURE;
  const path = join(scratchDirectory, 'diff.db');
  const handle = await open(path, 'w', 0o600);
  try {
    await extractContent(reader, content, handle, activity);
  } finally {
    await handle.close();
  }
  try {
    return pictureOfFile(path);
  } finally {
    for (const suffix of ['', '-wal', '-shm', '-journal'])
      await rm(`${path}${suffix}`, { force: true });
  }
}

function pictureOfFile(path: string): Picture {
  const database = new Database(path, { fileMustExist: true });
  try {
    database.pragma('trusted_schema = OFF');
    database.pragma('query_only = ON');
    const schema = database
      .prepare<[], { key: string; sql: string | null }>(
        "SELECT type || ' ' || name AS key, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
      )
      .all();
    // Views and virtual tables are left alone: counting them would run code that the file brings with it.
    const tables = database
      .prepare<[], string>(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'",
      )
      .pluck()
      .all()
      .filter((name) => !name.startsWith('sqlite_'));
    return {
      schema: new Map(schema.map(({ key, sql }) => [key, sql ?? ''])),
      rows: new Map(tables.map((name) => [name, rowsIn(database, name)])),
    };
  } finally {
    database.close();
  }
}

function rowsIn(database: Database.Database, table: string): number | null {
  try {
    const query = `SELECT count(*) FROM main."${table.replaceAll('"', '""')}" NOT INDEXED`;
    return database.prepare<[], number>(query).pluck().get() ?? null;
  } catch {
    // A snapshot may hold a damaged database, as evidence.
    return null;
  }
}

function comparePictures(
  before: Picture,
  after: Picture,
): Omit<DatabaseDifference, 'path' | 'changedBytesMax' | 'skipped'> {
  const keys = [...new Set([...before.schema.keys(), ...after.schema.keys()])].sort();
  const named = (isOne: (old: string | undefined, now: string | undefined) => boolean) =>
    keys.filter((key) => isOne(before.schema.get(key), after.schema.get(key))).slice(0, NAMES_MAX);
  const names = [...new Set([...before.rows.keys(), ...after.rows.keys()])].sort();
  const tables = names
    .map((name) => ({
      name,
      rowsBefore: before.rows.get(name) ?? null,
      rowsAfter: after.rows.get(name) ?? null,
    }))
    .filter(({ rowsBefore, rowsAfter }) => rowsBefore !== rowsAfter);
  return {
    schema: {
      added: named((old, now) => old === undefined && now !== undefined),
      removed: named((old, now) => old !== undefined && now === undefined),
      changed: named((old, now) => old !== undefined && now !== undefined && old !== now),
    },
    tables: tables.slice(0, NAMES_MAX),
    tablesUnchanged: names.length - tables.length,
  };
}
