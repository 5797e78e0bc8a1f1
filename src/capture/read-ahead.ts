import { closeSync, fstatSync } from 'node:fs';
import { isoTime } from '../kernel/clock.ts';
import { systemCode } from '../kernel/errors.ts';
import { checksBeside, checkUnlockedBeside } from '../sqlite/check-beside.ts';
import type { ConnectionCheck } from '../sqlite/database-check.ts';
import { DatabaseImage } from '../sqlite/database-image.ts';
import { HEADER_BYTES, parseHeader } from '../sqlite/header.ts';
import { openForReading, readAt } from '../sqlite/read-at.ts';
import { checkUnlocked } from '../sqlite/unlocked-check.ts';
import type { Content } from '../store/chunks/content.ts';
import type { DatabaseCheck } from '../store/manifests/manifest.ts';
import { DatabaseCopy } from './database-copy.ts';
import type { DatabaseContext, DatabaseTask } from './database-task.ts';
import { hasSettled, isStill, rollbackState } from './rollback-state.ts';

/** Below this, reading under the lock takes no longer than taking the lock. */
const WORTHWHILE_BYTES = 4 * 1024 * 1024;

export interface ReadAhead {
  readonly content: Content;
  /** `rollbackState` before the first byte was read. */
  readonly state: string;
  /** Of the same state; null where it was not to be had. */
  readonly check: DatabaseCheck | null;
}

/** What was made of databases before they were pinned, by absolute path; nothing of one that is read under its lock. */
export interface DoneAhead {
  readonly read: ReadonlyMap<string, ReadAhead>;
  readonly copies: ReadonlyMap<string, DatabaseCopy>;
}

/**
 * Stores and checks large rollback-mode databases before they are pinned, so that their writers do not wait
 * meanwhile. Under the lock it is enough to see that nothing was written since. Of one that was written, a copy is
 * made, for which they wait less than for anything else; where there is no room for that, the file is read once more
 * and checked again, and only the chunks that differ are stored.
 *
 * It opens and closes the files: nothing may be pinned yet. `onCopy` hears of every copy, for it to be removed.
 */
export async function readAhead(
  tasks: readonly DatabaseTask[],
  context: DatabaseContext,
  onCopy: (copy: DatabaseCopy) => void,
): Promise<DoneAhead> {
  const read = new Map<string, ReadAhead>();
  const copies = new Map<string, DatabaseCopy>();
  for (const task of tasks) {
    if (task.found.stat.size < WORTHWHILE_BYTES) continue;
    const { path } = task.found;
    const first = await readOne(task, context).catch(unlessGone);
    if (first !== null && (await isStill(path, first.state))) {
      read.set(path, first);
      continue;
    }
    const copy = await DatabaseCopy.make(path, context).catch(unlessGone);
    if (copy !== null) {
      copies.set(path, copy);
      onCopy(copy);
      continue;
    }
    const second = first === null ? null : await readOne(task, context).catch(unlessGone);
    if (second !== null) read.set(path, second);
  }
  return { read, copies };
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
