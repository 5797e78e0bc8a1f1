import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { makeDirectory } from '../files/durable.ts';
import { durableStepSync } from '../files/durable-steps.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot, messageOf, systemCode } from '../kernel/errors.ts';
import { setDamagedStateAside } from './damaged-state.ts';
import {
  migrateState,
  refuseNewer,
  STATE_MIGRATIONS,
  type StateMigration,
} from './state-migrations.ts';

/**
 * state.db: what the daemon must remember over a restart (jobs, their logs, due times, baselines, flags), and
 * nothing that a restore needs. One process opens it: the daemon, under its instance lock. A commit that
 * returned survives a power cut. A damaged file is kept under another name and a new one begun, since a daemon
 * that has forgotten its job history protects more than one that does not start.
 */
export interface StateDatabase {
  readonly path: string;
  readonly connection: Database.Database;
  /** Where the damaged database was put that this one replaces; null if there was none. */
  readonly rebuiltFrom: string | null;
  /** Runs `work` as one transaction: all of it is durable when this returns, none of it if it throws. */
  transaction<T>(work: () => T): T;
  close(): void;
}

export interface StateOptions {
  readonly clock: Clock;
  /** @default STATE_MIGRATIONS */
  readonly migrations?: readonly StateMigration[];
}

/** "HFst": tells a state database from any other SQLite file. */
const APPLICATION_ID = 0x48467374;
const MAGIC = Buffer.from('SQLite format 3\0', 'latin1');
const BUSY_TIMEOUT_MS = 1_000;

/** Evidence that the content is bad, as opposed to busy, unreadable or full, which heal by themselves. */
class StateDamage extends Error {
  override readonly name = 'StateDamage';
}

const isDamage = (error: unknown): boolean =>
  error instanceof StateDamage || /^SQLITE_(CORRUPT|NOTADB|FORMAT)/.test(systemCode(error) ?? '');

/**
 * Opens or creates the database at `path` (its directory too), checked and migrated.
 * @throws UNSUPPORTED_FORMAT written by a newer Holdfast, or not a state database at all
 * @throws BUSY another process holds it; IO_ERROR it cannot be read or written
 */
export async function openState(path: string, options: StateOptions): Promise<StateDatabase> {
  await makeDirectory(dirname(path));
  try {
    await createOrLookAt(path);
    return connect(path, null, options);
  } catch (error) {
    if (!isDamage(error)) throw openingFailure(path, error);
    const kept = await setDamagedStateAside(path, options.clock);
    try {
      await createOrLookAt(path);
      return connect(path, kept, options);
    } catch (second) {
      throw openingFailure(path, second);
    }
  }
}

/**
 * Creates the file for its mode (SQLite gives the sidecars the mode of the main file), and looks at the first
 * bytes of one that is there: SQLite would consume a journal beside it before it finds that it is no database.
 */
async function createOrLookAt(path: string): Promise<void> {
  const handle = await open(path, 'a+', 0o600);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0);
    const isDatabase = bytesRead === 0 || buffer.equals(MAGIC);
    if (!isDatabase && !(await isBegun(path, buffer))) throw new StateDamage('it is no database');
  } finally {
    await handle.close();
  }
}

/** True where the power went while the very first transaction was written: its journal makes the file empty again. */
async function isBegun(path: string, firstBytes: Buffer): Promise<boolean> {
  if (firstBytes.some((byte) => byte !== 0)) return false;
  const journal = await stat(`${path}-journal`).catch(() => null);
  return journal !== null && journal.size > 0;
}

function connect(path: string, rebuiltFrom: string | null, options: StateOptions): StateDatabase {
  const connection = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    prepare(connection, path, options.migrations ?? STATE_MIGRATIONS);
  } catch (error) {
    connection.close();
    throw error;
  }
  return {
    path,
    connection,
    rebuiltFrom,
    transaction: (work) =>
      durableStepSync('sqlite-commit', path, () => connection.transaction(work).immediate()),
    close: () => {
      connection.close();
    },
  };
}

function prepare(
  connection: Database.Database,
  path: string,
  migrations: readonly StateMigration[],
): void {
  const isNew = examine(connection, path, migrations);
  if (isNew) connection.pragma(`application_id = ${APPLICATION_ID}`);
  migrateState(connection, path, migrations);
  requireTables(connection, migrations);
}

/** Changes no content. True: the database is empty. */
function examine(
  connection: Database.Database,
  path: string,
  migrations: readonly StateMigration[],
): boolean {
  try {
    const isNew = refuseForeign(connection, path);
    refuseNewer(connection, path, migrations);
    connection.pragma('journal_mode = WAL');
    // A job answered as accepted must survive a power cut; in WAL mode only FULL syncs each commit.
    connection.pragma('synchronous = FULL');
    const [finding] = connection.pragma('quick_check(1)') as { quick_check: string }[];
    if (finding?.quick_check === 'ok') return isNew;
    throw new StateDamage(finding?.quick_check ?? 'quick_check says nothing');
  } catch (error) {
    // These statements are sound, so a plain SQL error is about the file ("unsupported file format").
    if (systemCode(error) === 'SQLITE_ERROR') throw new StateDamage(messageOf(error));
    throw error;
  }
}

/** A file that holds somebody else's tables is a wrong path, not a damaged state. True: it is empty. */
function refuseForeign(connection: Database.Database, path: string): boolean {
  const id = connection.pragma('application_id', { simple: true }) as number;
  if (id === APPLICATION_ID) return false;
  const tables = connection.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() as number;
  if (id === 0 && tables === 0) return true;
  throw cannot('UNSUPPORTED_FORMAT', 'open', path, 'it is a database of another program', {
    hint: 'Name a state directory of its own.',
    details: { applicationId: id, tables },
  });
}

/** A lost schema page can leave a sound database without our tables. */
function requireTables(connection: Database.Database, migrations: readonly StateMigration[]): void {
  const expected = migrations.flatMap(({ sql }) =>
    [...sql.matchAll(/CREATE TABLE (\w+)/g)].map((match) => match[1]!),
  );
  const present = new Set(
    connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all(),
  );
  const missing = expected.filter((name) => !present.has(name));
  if (missing.length > 0) throw new StateDamage(`tables are missing: ${missing.join(', ')}`);
}

/** SQLite's own refusals with a hint; anything else as it is. */
function openingFailure(path: string, error: unknown): unknown {
  const code = systemCode(error);
  if (code === undefined || !code.startsWith('SQLITE_')) return error;
  const busy = code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED');
  return cannot(busy ? 'BUSY' : 'IO_ERROR', 'open', path, messageOf(error), {
    hint: busy
      ? 'Another process has it open: only one daemon may use a state directory.'
      : 'Check the disk, its free space, and the permissions of the state directory.',
    retryable: busy,
    cause: error,
    details: { system: code },
  });
}
