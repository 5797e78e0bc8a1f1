import { closeSync, fstatSync } from 'node:fs';
import { systemCode } from '../kernel/errors.ts';
import { statFingerprint } from '../sqlite/fingerprint.ts';
import { type DatabaseHeader, HEADER_BYTES, parseHeader } from '../sqlite/header.ts';
import { openForReading, readAt } from '../sqlite/read-at.ts';
import type { Content } from '../store/chunks/content.ts';
import type { DatabaseContext, DatabaseTask } from './database-task.ts';

/** Below this, reading under the lock takes no longer than taking the lock. */
const WORTHWHILE_BYTES = 4 * 1024 * 1024;

const TICK_MS = 25;

export interface ReadAhead {
  readonly content: Content;
  /** `rollbackState` before the first byte was read. */
  readonly state: string;
}

/**
 * Stores large rollback-mode databases before they are pinned, so that their writers do not wait while chunks are
 * compressed and written. Under the lock it is enough to see that nothing was written since; where something was,
 * the file is read again, and only the chunks that differ are stored.
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
    const read = await readOne(task, context).catch(unlessGone);
    if (read !== null) done.set(task.found.path, read);
  }
  return done;
}

/** @returns null for what is no rollback-mode database of whole pages, or shrank while it was read */
async function readOne(task: DatabaseTask, context: DatabaseContext): Promise<ReadAhead | null> {
  const { path, stat } = task.found;
  // A write that is rolled back leaves no trace but the time of the file, which must therefore be able to change.
  if (context.clock.nowMs() - Number(stat.mtimeMs) < TICK_MS) return null;
  const descriptor = openForReading(path);
  try {
    const header = parseHeader(readAt(descriptor, 0, HEADER_BYTES));
    const bytes = fstatSync(descriptor).size;
    if (header?.journalMode !== 'rollback' || bytes !== header.pageCount * header.pageBytes) {
      return null;
    }
    const state = await rollbackState(path, header);
    let isShort = false;
    const source = {
      bytes,
      read: (offset: number, lengthBytes: number): Buffer => {
        const block = readAt(descriptor, offset, lengthBytes);
        if (block.length === lengthBytes) return block;
        isShort = true;
        return Buffer.concat([block], lengthBytes);
      },
    };
    const { writer, report, activity } = context;
    const content = await writer.writeContent(report.metered(source), task.found.before, activity);
    return isShort ? null : { content, state };
  } finally {
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
