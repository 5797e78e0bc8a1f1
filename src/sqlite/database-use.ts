import { randomBytes } from 'node:crypto';
import { link, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { cannot, type HoldfastError, systemCode } from '../kernel/errors.ts';
import { isBusyCode, isCorruptionCode } from './database-check.ts';
import { type DatabaseUser, findDatabaseUsers } from './database-users.ts';
import { familyPaths, statFamily } from './family.ts';

export interface HoldOptions {
  /** How long SQLite waits for a transaction of another process to end; it blocks this thread. */
  readonly timeoutMs?: number;
}

export interface ExclusiveHold {
  /** `lock`: SQLite's exclusive lock is held. `none`: it could not be taken (see `holdExclusively`); nobody has it open. */
  readonly by: 'lock' | 'none';
  release(): void;
}

/**
 * Keeps every other process from writing a database, or reading it, until it is released.
 *
 * SQLite locks inodes, so the lock is taken through a hard link in the scratch directory: the family is never
 * opened by its own name, and what SQLite creates stands beside the link. What refuses it:
 * - rollback mode: any open transaction of another process. Idle connections hold no lock; `/proc` shows them.
 * - WAL mode: any connection that has ever read, since it keeps a SHARED lock until it closes.
 * Whoever opens the database during the hold gets SQLITE_BUSY.
 *
 * Without a lock, and by `/proc` alone, where no link can be made (another file system, or a file that this user may
 * not link) and where SQLite does not read the file: it locks nothing then, for anybody.
 *
 * The caller has no other descriptor of the database open, nor closes one during the hold.
 * @throws TARGET_BUSY naming the users that could be seen
 */
export async function holdExclusively(
  path: string,
  scratchDirectory: string,
  options: HoldOptions = {},
): Promise<ExclusiveHold> {
  if ((await statFamily(path)).main === null) return { by: 'none', release: () => {} };
  const linked = join(scratchDirectory, `hold-${randomBytes(6).toString('hex')}.db`);
  const linkMade = await makeLink(path, linked);
  let lock: Database.Database | 'busy' | null = null;
  try {
    lock = linkMade ? lockExclusively(linked, options.timeoutMs ?? 0) : null;
    const users = await findDatabaseUsers(path);
    if (lock === 'busy' || users.length > 0) throw busyError(path, users);
  } catch (error) {
    if (lock !== null && lock !== 'busy') lock.close();
    await removeLink(linked);
    throw error;
  }
  // The lock is on the inode: the extra name can go at once, and nothing is left to clean up after a crash.
  await removeLink(linked);
  const held = lock;
  return { by: held === null ? 'none' : 'lock', release: () => held?.close() };
}

const CANNOT_LINK = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EACCES']);

async function makeLink(path: string, linked: string): Promise<boolean> {
  try {
    await link(path, linked);
    return true;
  } catch (error) {
    if (CANNOT_LINK.has(systemCode(error) ?? '')) return false;
    throw error;
  }
}

async function removeLink(linked: string): Promise<void> {
  for (const member of Object.values(familyPaths(linked))) await rm(member, { force: true });
}

/** @returns null where SQLite does not read the file at all */
function lockExclusively(linked: string, timeoutMs: number): Database.Database | 'busy' | null {
  const database = new Database(linked, { fileMustExist: true, timeout: timeoutMs });
  try {
    // In WAL mode this makes the first read take an exclusive lock on the file and do without -shm.
    database.pragma('locking_mode = EXCLUSIVE');
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    if (isBusyCode(systemCode(error))) return 'busy';
    if (isCorruptionCode(systemCode(error))) return null;
    throw error;
  }
}

function busyError(path: string, users: readonly DatabaseUser[]): HoldfastError {
  const names = users.map((user) => `${user.command} (${user.pid})`).join(', ');
  return cannot(
    'TARGET_BUSY',
    'replace database',
    path,
    names === '' ? 'another process has it open' : `it is open in ${names}`,
    {
      hint: 'Stop the application that uses it, then try again.',
      retryable: true,
      details: { path, users },
    },
  );
}
