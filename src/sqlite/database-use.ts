import { randomBytes } from 'node:crypto';
import { link, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { cannot, type HoldfastError, systemCode } from '../kernel/errors.ts';
import { isBusyCode, isCorruptionCode } from './database-check.ts';
import { familyPaths, statFamily } from './family.ts';

export interface DatabaseUser {
  readonly pid: number;
  /** As `/proc/<pid>/comm` has it: at most 15 characters. */
  readonly command: string;
}

/**
 * Other processes that have any member of the family open, under whatever name: compared by device and inode.
 * Sees only processes whose descriptors this user may read; empty where there is no `/proc`.
 */
export async function findDatabaseUsers(path: string): Promise<readonly DatabaseUser[]> {
  const members = new Set(
    Object.values(await statFamily(path))
      .filter((member) => member !== null)
      .map((member) => `${member.device}:${member.inode}`),
  );
  if (members.size === 0) return [];
  const users: DatabaseUser[] = [];
  for (const name of await listing('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (await hasOpen(pid, members)) users.push({ pid, command: await commandOf(pid) });
  }
  return users;
}

async function hasOpen(pid: number, members: ReadonlySet<string>): Promise<boolean> {
  const directory = `/proc/${pid}/fd`;
  for (const name of await listing(directory)) {
    const descriptor = join(directory, name);
    try {
      // Pipes, sockets and the like have no path; `stat` on those would be wasted.
      if (!(await readlink(descriptor)).startsWith('/')) continue;
      const { dev, ino } = await stat(descriptor, { bigint: true });
      if (members.has(`${dev}:${ino}`)) return true;
    } catch (error) {
      if (!isOutOfSight(error)) throw error;
    }
  }
  return false;
}

async function commandOf(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/comm`, 'utf8')).trimEnd();
  } catch (error) {
    if (!isOutOfSight(error)) throw error;
    return '';
  }
}

async function listing(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (!isOutOfSight(error)) throw error;
    return [];
  }
}

/** Processes end while they are looked at, and those of other users cannot be looked into. */
function isOutOfSight(error: unknown): boolean {
  return ['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'ENOTDIR'].includes(systemCode(error) ?? '');
}

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
