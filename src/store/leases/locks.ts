import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type LockHolder, readLockHolder } from '../../files/exclusive-lock.ts';
import type { Clock } from '../../kernel/clock.ts';
import { systemCode } from '../../kernel/errors.ts';
import { layoutOf } from '../layout.ts';
import { unlinkAll } from '../removal/finish-removals.ts';
import { type ListedLease, listLeases } from './list-leases.ts';

export interface RepositoryLocks {
  /** Whether a process holds the writer's lock at this moment. */
  readonly locked: boolean;
  /** Who; null where nobody does. */
  readonly holder: LockHolder | null;
  readonly leases: readonly ListedLease[];
  /** Files in `leases/` that cannot be read; while there are any nothing is removed. */
  readonly unreadable: readonly string[];
}

export async function repositoryLocks(path: string, clock: Clock): Promise<RepositoryLocks> {
  const layout = layoutOf(path);
  const locked = isLocked(layout.lock);
  const holder = locked ? readLockHolder(layout.lock) : null;
  return { locked, holder, ...(await listLeases(layout, clock)) };
}

/**
 * Removes leases whose process is gone, and files that are no leases. The writer's lock goes with its process:
 * there is never one to remove.
 */
export async function removeStaleLeases(path: string, clock: Clock): Promise<string[]> {
  const layout = layoutOf(path);
  const { leases, unreadable } = await listLeases(layout, clock);
  const stale = leases.filter((lease) => lease.stale).map(({ id }) => `${id}.json`);
  const names = [...stale, ...unreadable];
  await unlinkAll(
    names.map((name) => join(layout.leases, name)),
    layout.leases,
  );
  return names;
}

function isLocked(path: string): boolean {
  if (!existsSync(path)) return false;
  const database = new Database(path, { readonly: true, timeout: 0 });
  try {
    database.prepare('SELECT count(*) FROM sqlite_master').get();
    return false;
  } catch (error) {
    if (systemCode(error)?.startsWith('SQLITE_BUSY') === true) return true;
    // Whoever holds it keeps others from seeing as much.
    if (/^SQLITE_(NOTADB|CORRUPT)/.test(systemCode(error) ?? '')) return false;
    throw error;
  } finally {
    database.close();
  }
}
