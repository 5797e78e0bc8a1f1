import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { type Clock, isoTime, sleep } from '../kernel/clock.ts';
import { cannot, type ErrorCode, type HoldfastError, systemCode } from '../kernel/errors.ts';
import { createPrivateFile } from './private-file.ts';

/**
 * A lock between processes that dies with its holder: an exclusive SQLite lock on a private database file,
 * which the kernel drops when the process ends, however it ends. So there is no stale lock to clear.
 */
export interface ExclusiveLock {
  readonly path: string;
  release(): void;
}

export interface LockHolder {
  readonly pid: number;
  readonly purpose: string;
  readonly since: string;
}

const holderPath = (path: string): string => `${path}.holder`;

/** Who took the lock last; only a hint, since it is written beside the lock, not by it. */
export function readLockHolder(path: string): LockHolder | null {
  try {
    return JSON.parse(readFileSync(holderPath(path), 'utf8')) as LockHolder;
  } catch {
    return null;
  }
}

function tryLock(path: string): Database.Database | null {
  createPrivateFile(path);
  try {
    return openLocked(path);
  } catch (error) {
    if (!/^SQLITE_(NOTADB|CORRUPT)/.test(systemCode(error) ?? '')) throw error;
    // Nothing is ever written in it, so that empty is what it ought to be. Nobody holds the lock: whoever does keeps
    // others from reading as far as that.
    truncateSync(path, 0);
    return openLocked(path);
  }
}

function openLocked(path: string): Database.Database | null {
  const database = new Database(path, { timeout: 0 });
  try {
    database.pragma('journal_mode = DELETE');
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    if (systemCode(error)?.startsWith('SQLITE_BUSY') === true) return null;
    throw error;
  }
}

export interface LockOptions {
  /** What the holder does, shown to whoever is refused. */
  readonly purpose: string;
  /** How long to wait for another holder to let go. */
  readonly waitMs: number;
  /** Code of the refusal. */
  readonly code: Extract<ErrorCode, 'REPO_LOCKED' | 'INSTANCE_LOCKED'>;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

const RETRY_DELAY_MS = 50;

/** @throws REPO_LOCKED or INSTANCE_LOCKED, naming the holder, when it is still held after `waitMs` */
export async function acquireExclusiveLock(
  path: string,
  options: LockOptions,
): Promise<ExclusiveLock> {
  const { clock } = options;
  const deadline = clock.monotonicMs() + options.waitMs;
  for (;;) {
    const database = tryLock(path);
    if (database !== null) {
      const since = isoTime(clock.nowMs());
      noteHolder(path, { pid: process.pid, purpose: options.purpose, since });
      return {
        path,
        release: () => {
          if (!database.open) return;
          database.exec('ROLLBACK');
          database.close();
        },
      };
    }
    if (clock.monotonicMs() >= deadline) throw lockRefusal(path, options.code);
    await sleep(clock, RETRY_DELAY_MS, options.signal);
  }
}

/** A hint that cannot be written must neither cost the lock nor keep it; one that names somebody else must not stay. */
function noteHolder(path: string, holder: LockHolder): void {
  try {
    writeFileSync(holderPath(path), JSON.stringify(holder), { mode: 0o600 });
  } catch {
    try {
      rmSync(holderPath(path), { force: true });
    } catch {
      // The disk lets nothing be written: whoever is refused hears of no holder, or of one before.
    }
  }
}

function lockRefusal(path: string, code: LockOptions['code']): HoldfastError {
  const holder = readLockHolder(path);
  const state =
    holder === null
      ? 'another process holds it'
      : `process ${holder.pid} (${holder.purpose}) has held it since ${holder.since}`;
  return cannot(code, 'lock', path, state, {
    hint: 'Wait for it to finish, or stop it; the lock goes with its process.',
    retryable: true,
    details: { holder },
  });
}
