import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../kernel/errors.ts';
import { statFamily } from './family.ts';

/** Who has a database open. Asks the system alone: the database is not touched, so any process may ask. */

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
