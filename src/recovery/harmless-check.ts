import { link, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { copyFamily } from '../sqlite/copy-family.ts';
import {
  type CheckLevel,
  checkDatabase,
  type DatabaseCheckResult,
} from '../sqlite/database-check.ts';
import { type DatabaseUser, findDatabaseUsers } from '../sqlite/database-users.ts';
import { databaseFingerprint } from '../sqlite/fingerprint.ts';
import { type DatabaseHeader, HEADER_BYTES, parseHeader } from '../sqlite/header.ts';
import { bytesOf } from './family-copies.ts';
import { findMissingPage } from './missing-page.ts';

/**
 * Checks a database without replaying, checkpointing, creating or removing anything: opened by its own name, a
 * database with a journal is rolled back, one with a WAL is checkpointed when it is closed, and a closed WAL
 * database is left with `-wal` and `-shm`.
 */

export interface HarmlessCheck {
  readonly check: DatabaseCheckResult;
  readonly users: readonly DatabaseUser[];
  /** Of the files before the check. */
  readonly fingerprint: string;
  /** False when somebody wrote meanwhile: what the check found may be a half-written state. */
  readonly stable: boolean;
  /** The header of the state that the check saw, WAL included; null without one, and for a database in use. */
  readonly header: DatabaseHeader | null;
}

export async function readHeader(path: string): Promise<DatabaseHeader | null> {
  const handle = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(HEADER_BYTES);
    const { bytesRead } = await handle.read(bytes, 0, HEADER_BYTES, 0);
    return parseHeader(bytes.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

// Long enough for a writer's transaction, short enough for a boot.
const IN_USE_TIMEOUT_MS = 1_000;

/** Whoever uses it keeps the WAL alive, so that a read-only connection neither creates nor removes anything. */
function checkInUse(path: string, level: CheckLevel): DatabaseCheckResult {
  return checkDatabase(path, level, { readonly: true, timeoutMs: IN_USE_TIMEOUT_MS });
}

/** A second name for the file, so that what SQLite puts beside it lands in scratch; null across file systems. */
async function linkAside(path: string, directory: string): Promise<string | null> {
  const name = join(directory, 'link.db');
  try {
    await link(path, name);
    return name;
  } catch {
    return null;
  }
}

async function checkIdle(
  path: string,
  level: CheckLevel,
  scratchDirectory: string,
  activity: Activity,
  clock: Clock,
): Promise<{ check: DatabaseCheckResult; header: DatabaseHeader | null }> {
  const header = await readHeader(path);
  const walBytes = await bytesOf(`${path}-wal`);
  const journalBytes = await bytesOf(`${path}-journal`);
  const alone = (walBytes ?? 0) === 0 && journalBytes === null;
  if (alone && header?.journalMode !== 'wal') {
    return { check: checkDatabase(path, level, { readonly: true }), header };
  }
  const linked = alone ? await linkAside(path, scratchDirectory) : null;
  if (linked !== null) {
    return { check: checkDatabase(linked, level, { readonly: true }), header };
  }
  const copy = (await copyFamily(path, scratchDirectory, { clock, signal: activity.signal })).path;
  // Before the check itself, which writes the log into the file.
  const missing = findMissingPage(copy);
  const check = checkDatabase(copy, level);
  return { check: withMissing(check, missing), header: await readHeader(copy) };
}

/** What SQLite's own checks take for zeros. */
function withMissing(check: DatabaseCheckResult, page: number | null): DatabaseCheckResult {
  if (page === null || check.outcome !== 'ok') return check;
  const messages = [`page ${page} is neither in the file nor in its log`];
  return { ...check, ok: false, outcome: 'corrupt', messages };
}

/** Whether a process that has the file open is an SQLite one whose WAL we may read beside it. */
async function isReadableInUse(path: string): Promise<boolean> {
  const header = await readHeader(path);
  if (header?.journalMode !== 'wal') return true;
  return (await bytesOf(`${path}-wal`)) !== null && (await bytesOf(`${path}-shm`)) !== null;
}

/** @param scratchDirectory a path of its own; made and removed again */
export async function checkHarmlessly(
  path: string,
  level: CheckLevel,
  scratchDirectory: string,
  activity: Activity,
  clock: Clock,
): Promise<HarmlessCheck> {
  const fingerprint = await databaseFingerprint(path);
  const users = await findDatabaseUsers(path);
  if (users.length > 0 && (await isReadableInUse(path))) {
    return { check: checkInUse(path, level), users, fingerprint, stable: true, header: null };
  }
  await mkdir(scratchDirectory, { recursive: true, mode: 0o700 });
  try {
    const { check, header } = await checkIdle(path, level, scratchDirectory, activity, clock);
    const stable = (await databaseFingerprint(path)) === fingerprint;
    return { check, users, fingerprint, stable, header };
  } finally {
    await rm(scratchDirectory, { recursive: true, force: true });
  }
}
