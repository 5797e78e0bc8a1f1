import { closeSync, fstatSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isoTime, sleep } from '../kernel/clock.ts';
import { systemCode } from '../kernel/errors.ts';
import { checksBeside, checkUnlockedBeside } from '../sqlite/check-beside.ts';
import type { ConnectionCheck } from '../sqlite/database-check.ts';
import { DatabaseImage } from '../sqlite/database-image.ts';
import { statFingerprint } from '../sqlite/fingerprint.ts';
import { type DatabaseHeader, HEADER_BYTES, parseHeader } from '../sqlite/header.ts';
import { openForReading, readAt, readStart } from '../sqlite/read-at.ts';
import { checkUnlocked } from '../sqlite/unlocked-check.ts';
import type { Content } from '../store/chunks/content.ts';
import type { DatabaseCheck } from '../store/manifests/manifest.ts';
import type { DatabaseContext, DatabaseTask } from './database-task.ts';

/** Below this, reading under the lock takes no longer than taking the lock. */
const WORTHWHILE_BYTES = 4 * 1024 * 1024;

const TICK_MS = 25;

export interface ReadAhead {
  readonly content: Content;
  /** `rollbackState` before the first byte was read. */
  readonly state: string;
  /** Of the same state; null where it was not to be had. */
  readonly check: DatabaseCheck | null;
}

/** One that was written meanwhile is read again so often: hashed, that is, for most of it is stored by then. */
const PASSES_MAX = 2;

/**
 * Stores and checks large rollback-mode databases before they are pinned, so that their writers do not wait
 * meanwhile. Under the lock it is enough to see that nothing was written since; where something was, the file is read
 * and checked again, and only the chunks that differ are stored.
 *
 * It opens and closes the files: nothing may be pinned yet.
 * @returns by absolute path
 */
export async function readAhead(
  tasks: readonly DatabaseTask[],
  context: DatabaseContext,
): Promise<Map<string, ReadAhead>> {
  const done = new Map<string, ReadAhead>();
  for (const task of tasks) {
    if (task.found.stat.size < WORTHWHILE_BYTES) continue;
    for (let pass = 1; pass <= PASSES_MAX; pass++) {
      const read = await readOne(task, context).catch(unlessGone);
      if (read === null) break;
      done.set(task.found.path, read);
      if (await isStill(task.found.path, read.state)) break;
    }
  }
  return done;
}

/** @returns null for what is no rollback-mode database of whole pages, or shrank while it was read */
async function readOne(task: DatabaseTask, context: DatabaseContext): Promise<ReadAhead | null> {
  const { path } = task.found;
  const stored = await storeOne(task, context);
  if (stored === null) return null;
  const { content, state, checking } = stored;
  // Whatever comes of it: its connection is closed before anything is pinned.
  const beside = await checking;
  if (!(await isStill(path, state))) return { content, state, check: null };
  return { content, state, check: beside ?? checkAhead(path, context) };
}

/** A look that proves nothing: whether it is worth going on. */
async function isStill(path: string, state: string): Promise<boolean> {
  const header = parseHeader(readStart(path, HEADER_BYTES) ?? Buffer.alloc(0));
  return (await rollbackState(path, header)) === state;
}

/** Its connection is closed again before anything is pinned. */
function checkAhead(path: string, context: DatabaseContext): DatabaseCheck | null {
  const startedMs = context.clock.monotonicMs();
  return recordOf(checkUnlocked(path, context.checkLevel), startedMs, context);
}

/** The same beside reading, where that is worthwhile; null where it is not, or came to nothing. */
async function checkMeanwhile(
  path: string,
  bytes: number,
  context: DatabaseContext,
): Promise<DatabaseCheck | null> {
  if (!checksBeside(bytes)) return null;
  const startedMs = context.clock.monotonicMs();
  const result = await checkUnlockedBeside(path, context.checkLevel).catch(() => null);
  return recordOf(result, startedMs, context);
}

function recordOf(
  result: ConnectionCheck | null,
  startedMs: number,
  { clock, checkLevel: level }: DatabaseContext,
): DatabaseCheck | null {
  if (result === null) return null;
  const { ok, messages } = result;
  const durationMs = Math.round(clock.monotonicMs() - startedMs);
  return { level, ok, messages, durationMs, at: isoTime(clock.nowMs()) };
}

/** A write that is rolled back leaves no trace but the time of the file, which must therefore be able to change. */
async function hasSettled(path: string, { clock, activity }: DatabaseContext): Promise<boolean> {
  const isOld = async (): Promise<boolean> => clock.nowMs() - (await stat(path)).mtimeMs >= TICK_MS;
  if (await isOld()) return true;
  await sleep(clock, 2 * TICK_MS, activity.signal);
  return isOld();
}

interface StoredAhead extends Omit<ReadAhead, 'check'> {
  readonly checking: Promise<DatabaseCheck | null>;
}

async function storeOne(task: DatabaseTask, context: DatabaseContext): Promise<StoredAhead | null> {
  const { path } = task.found;
  if (!(await hasSettled(path, context))) return null;
  const descriptor = openForReading(path);
  let checking: Promise<DatabaseCheck | null> = Promise.resolve(null);
  let image: DatabaseImage | null = null;
  let isStored = false;
  try {
    const header = parseHeader(readAt(descriptor, 0, HEADER_BYTES));
    const bytes = fstatSync(descriptor).size;
    if (header?.journalMode !== 'rollback' || bytes !== header.pageCount * header.pageBytes) {
      return null;
    }
    const state = await rollbackState(path, header);
    checking = checkMeanwhile(path, bytes, context);
    const { pageBytes, pageCount } = header;
    image = new DatabaseImage({ main: descriptor, pageBytes, pageCount, bytes, wal: null });
    const { writer, report, activity } = context;
    const content = await writer.writeContent(report.metered(image), task.found.before, activity);
    // One that was cut short meanwhile ends in zeros.
    isStored = image.bytesRead === bytes;
    return isStored ? { content, state, checking } : null;
  } finally {
    if (!isStored) await checking;
    // A writer that failed may have left a read under way.
    await image?.idle();
    closeSync(descriptor);
  }
}

function unlessGone(error: unknown): null {
  if (systemCode(error) === 'ENOENT') return null;
  throw error;
}

/** Equal states of a rollback-mode database mean that no transaction was committed in between. */
export async function rollbackState(path: string, header: DatabaseHeader | null): Promise<string> {
  const { changeCounter, pageCount, pageBytes } = header ?? {};
  return `${await statFingerprint(path)} ${changeCounter} ${pageCount} ${pageBytes}`;
}
