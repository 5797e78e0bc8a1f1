import { lstat, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { removeDurably, syncDirectory, syncFile } from '../../files/durable.ts';
import { familyMembers } from '../../files/family-members.ts';
import type { Activity } from '../../kernel/activity.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { checkLoaded, type LoadedCheck } from './check-loaded.ts';
import { DUMP_HEADER, hasDumpFooter } from './dump-marks.ts';
import { StatementSplitter } from './split-statements.ts';
import { incomplete, SqlLoader } from './sql-loader.ts';

export interface LoadLimits {
  /** Longest statement; more than 500 MiB is more than a string holds. */
  readonly statementBytesMax: number;
  /** Largest database that may come of it. */
  readonly databaseBytesMax: number;
}

const LIMITS: LoadLimits = {
  statementBytesMax: 480 * 1024 * 1024,
  databaseBytesMax: 1024 ** 4,
};

export interface LoadedSql extends LoadedCheck {
  /** Run or heeded; settings that only say how to load are not counted. */
  readonly statements: number;
  /** Of the text. */
  readonly bytes: number;
  /** Empty unless `skipsForeignIndexes`. */
  readonly skippedIndexes: readonly string[];
}

export interface LoadOptions {
  readonly activity: Activity;
  readonly limits?: Partial<LoadLimits>;
  /** Leaves out indexes that need a collation or function which only the application has, instead of refusing. */
  readonly skipsForeignIndexes?: boolean;
}

const YIELD_BYTES = 1024 * 1024;

/**
 * Runs SQL text in a database that is made anew at `path` (O_EXCL, 0600; nothing of it stays on failure), in one
 * transaction, then checks it and makes it durable. Only statements a dump needs are allowed: definitions, rows of
 * plain values, a few pragmas. No trigger and no query runs. Foreign keys need not hold; the result says how many do not.
 * @throws TARGET_NOT_EMPTY; VERIFY_FAILED for text that is refused, wrong or cut short, with `details.line`;
 * UNSUPPORTED_FORMAT where a collation, function or module is missing; LIMIT_EXCEEDED
 */
export async function loadSql(
  input: AsyncIterable<Uint8Array>,
  path: string,
  options: LoadOptions,
): Promise<LoadedSql> {
  await createEmpty(path);
  try {
    const loaded = await load(input, path, options);
    const check = checkLoaded(path);
    await makeDurable(path);
    return { ...loaded, ...check };
  } catch (error) {
    for (const member of familyMembers(path)) await removeDurably(member);
    throw error;
  }
}

async function createEmpty(path: string): Promise<void> {
  for (const member of familyMembers(path)) {
    // A journal that was left here would be rolled back into the new file.
    if (await exists(member)) throw occupied(member);
  }
  try {
    const handle = await open(path, 'wx', 0o600);
    await handle.close();
  } catch (error) {
    throw systemCode(error) === 'EEXIST' ? occupied(path) : error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

function occupied(path: string): Error {
  return cannot('TARGET_NOT_EMPTY', 'load SQL text into', path, 'there is a file of that name');
}

async function load(
  input: AsyncIterable<Uint8Array>,
  path: string,
  { activity, limits: given, skipsForeignIndexes = false }: LoadOptions,
): Promise<Omit<LoadedSql, keyof LoadedCheck>> {
  const limits = { ...LIMITS, ...given };
  const database = openForLoading(path);
  try {
    const loader = new SqlLoader(database, { ...limits, skipsForeignIndexes });
    const splitter = new StatementSplitter(limits.statementBytesMax);
    const bytes = await feed(input, splitter, loader, activity);
    loader.finish();
    return { statements: loader.statements, bytes, skippedIndexes: loader.skippedIndexes };
  } finally {
    database.close();
  }
}

/** What a crash leaves of the file is of no use to anybody, so nothing is spent on surviving one before the end. */
function openForLoading(path: string): Database.Database {
  const database = new Database(path, { fileMustExist: true });
  database.unsafeMode(true);
  database.pragma('locking_mode = EXCLUSIVE');
  database.pragma('synchronous = OFF');
  database.pragma('journal_mode = OFF');
  database.pragma('foreign_keys = OFF');
  database.pragma('ignore_check_constraints = ON');
  database.pragma('trusted_schema = OFF');
  database.pragma('cache_size = -65536');
  return database;
}

async function feed(
  input: AsyncIterable<Uint8Array>,
  splitter: StatementSplitter,
  loader: SqlLoader,
  activity: Activity,
): Promise<number> {
  let bytesDone = 0;
  let yieldedAt = 0;
  let head = '';
  for await (const chunk of input) {
    activity.signal.throwIfAborted();
    const piece = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    if (head.length < DUMP_HEADER.length) head += piece.slice(0, DUMP_HEADER.length);
    for (const statement of splitter.push(piece)) loader.take(statement);
    bytesDone += chunk.byteLength;
    activity.progress({ phase: 'load', bytesDone });
    if (bytesDone - yieldedAt < YIELD_BYTES) continue;
    yieldedAt = bytesDone;
    await setImmediate();
  }
  const { unfinished } = splitter;
  if (unfinished !== null)
    throw incomplete(`it ends within the statement of line ${unfinished.line}`);
  const isOurs = head.startsWith(DUMP_HEADER);
  if (isOurs && !hasDumpFooter(splitter.rest)) throw incomplete('its last line is missing');
  return bytesDone;
}

async function makeDurable(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await syncFile(handle, path);
  } finally {
    await handle.close();
  }
  await syncDirectory(dirname(path));
}
