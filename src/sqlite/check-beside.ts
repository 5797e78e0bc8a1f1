import { Worker } from 'node:worker_threads';
import { cannot } from '../kernel/errors.ts';
import type { CheckLevel, ConnectionCheck } from './database-check.ts';

/**
 * Checks on a thread of their own, beside whatever else is done with the same database meanwhile. SQLite's check is one
 * call that takes a second per gigabyte and more, in which its thread can do nothing else.
 */

/** What a thread is to do; `way` as of the two functions below. */
export interface CheckJob {
  readonly path: string;
  readonly level: CheckLevel;
  readonly way: 'beside' | 'unlocked';
}

export interface CheckBegun {
  readonly kind: 'begun';
}

export type CheckEnd =
  | { readonly kind: 'end'; readonly result: ConnectionCheck | null }
  | { readonly kind: 'failed'; readonly code: string | null; readonly message: string };

/** Below this it is done before a thread has started. */
const WORTHWHILE_BYTES = 32 * 1024 * 1024;

let program: URL | null = null;

/** Called once where a process may have threads: in a worker. `entry` is the program of `check-thread.ts`. */
export function allowCheckThreads(entry: URL): void {
  program = entry;
}

/** Whether a check of a database of so many bytes is to be done beside other work. */
export function checksBeside(bytes: number): boolean {
  return program !== null && bytes >= WORTHWHILE_BYTES;
}

/**
 * Checks the very state that a transaction of the caller has pinned: in a transaction of its own, of which
 * `isStillPinned` says, asked when both have begun, that no commit came between them.
 * The caller keeps its transaction until the promise settles.
 * @returns null where that is not so, or no second connection is to be had
 * @throws what SQLite throws for reasons other than damage
 */
export function checkPinnedBeside(
  path: string,
  level: CheckLevel,
  isStillPinned: () => boolean,
): Promise<ConnectionCheck | null> {
  return runThread({ path, level, way: 'beside' }, isStillPinned);
}

/** As `checkUnlocked`, which see for what the caller must prove. */
export function checkUnlockedBeside(
  path: string,
  level: CheckLevel,
): Promise<ConnectionCheck | null> {
  return runThread({ path, level, way: 'unlocked' }, () => false);
}

function runThread(job: CheckJob, isStillPinned: () => boolean): Promise<ConnectionCheck | null> {
  const thread = new Worker(program!, { workerData: job });
  return new Promise((resolve, reject) => {
    thread.on('message', (message: CheckBegun | CheckEnd) => {
      if (message.kind === 'end') resolve(message.result);
      else if (message.kind === 'failed') reject(failure(job.path, message));
      else {
        try {
          thread.postMessage(isStillPinned());
        } catch (error) {
          reject(error);
          thread.postMessage(false);
        }
      }
    });
    // One that cannot start or runs out of memory; its connection is closed by then. The check is done without it.
    thread.on('error', () => {});
    thread.on('exit', () => resolve(null));
  });
}

function failure(path: string, { code, message }: CheckEnd & { kind: 'failed' }): Error {
  return code?.startsWith('SQLITE_') === true
    ? Object.assign(new Error(message), { code })
    : cannot('INTERNAL', 'check database', path, message);
}
