import { stat } from 'node:fs/promises';
import { sleep } from '../kernel/clock.ts';
import { statFingerprint } from '../sqlite/fingerprint.ts';
import { type DatabaseHeader, HEADER_BYTES, parseHeader } from '../sqlite/header.ts';
import { readStart } from '../sqlite/read-at.ts';
import type { DatabaseContext } from './database-task.ts';

/** What shows, without a lock, whether a database in rollback mode was written. */

/** File times move in ticks of up to 10 ms. */
const TICK_MS = 25;

/** Equal states of a rollback-mode database mean that no transaction was committed in between. */
export async function rollbackState(path: string, header: DatabaseHeader | null): Promise<string> {
  const { changeCounter, pageCount, pageBytes } = header ?? {};
  return `${await statFingerprint(path)} ${changeCounter} ${pageCount} ${pageBytes}`;
}

/** A look that proves nothing: whether it is worth going on. Opens and closes the file. */
export async function isStill(path: string, state: string): Promise<boolean> {
  const header = parseHeader(readStart(path, HEADER_BYTES) ?? Buffer.alloc(0));
  return (await rollbackState(path, header)) === state;
}

/** A write that is rolled back leaves no trace but the time of the file, which must therefore be able to change. */
export async function hasSettled(
  path: string,
  { clock, activity }: Pick<DatabaseContext, 'clock' | 'activity'>,
): Promise<boolean> {
  const isOld = async (): Promise<boolean> => clock.nowMs() - (await stat(path)).mtimeMs >= TICK_MS;
  if (await isOld()) return true;
  await sleep(clock, 2 * TICK_MS, activity.signal);
  return isOld();
}
