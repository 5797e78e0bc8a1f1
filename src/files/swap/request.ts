import { dirname, isAbsolute, normalize } from 'node:path';
import { cannot } from '../../kernel/errors.ts';
import { identify } from '../entry-identity.ts';
import { SIDECAR_SUFFIXES } from '../family-members.ts';
import { sameMount } from '../mounts.ts';
import { nearestExisting } from '../safe-path.ts';
import type { SwapDirectory } from './journal.ts';

/** One thing to put in place, replace or remove: a file, a symlink, a database family, or a directory whole. */
export interface SwapItem {
  /** Absolute; need not exist, nor its parents. A symlink is replaced itself, never followed. */
  readonly target: string;
  /** Absolute, on the target's mount, complete and durable; null: the target is only removed. */
  readonly staged: string | null;
  /** A database: `-wal`, `-shm` and `-journal` beside the target go along with it. */
  readonly family: boolean;
}

export interface SwapRequest {
  readonly stateDirectory: string;
  readonly reason: 'restore' | 'recovery';
  readonly jobId: string | null;
  readonly sourceId: string | null;
  readonly note: string;
  /** No target equal to, or inside, another. */
  readonly items: readonly SwapItem[];
  /** Metadata that directories get at the end; those that the swap creates are 0755 otherwise. */
  readonly directories?: readonly SwapDirectory[];
  /** Runs after copies were made and before the first change: here the caller takes its locks. A rejection undoes all. */
  readonly beforeSwap?: () => Promise<void>;
}

function refuse(path: string, state: string): Error {
  return cannot('INVALID_PARAMS', 'swap', path, state);
}

/** Every target once, none inside another. */
function checkTargets(items: readonly SwapItem[]): void {
  const targets = new Set<string>();
  for (const { target, staged } of items) {
    for (const path of staged === null ? [target] : [target, staged]) {
      if (!isAbsolute(path) || normalize(path) !== path || path.endsWith('/')) {
        throw refuse(path, 'it is not an absolute, normalised path');
      }
    }
    if (targets.has(target)) throw refuse(target, 'it is named twice');
    targets.add(target);
  }
  for (const target of targets) {
    for (let level = dirname(target); level !== dirname(level); level = dirname(level)) {
      if (targets.has(level)) throw refuse(target, `it lies inside "${level}", swapped as well`);
    }
  }
}

async function checkStaged(item: SwapItem, mounts: Map<string, boolean>): Promise<void> {
  const { target, staged, family } = item;
  if (staged === null) return;
  const identity = await identify(staged);
  if (identity === null) throw refuse(staged, 'nothing is staged there');
  if (identity.kind === 'special') throw refuse(staged, 'it is a device, a pipe or a socket');
  if (family) {
    if (identity.kind !== 'file') throw refuse(staged, 'a database must be a file');
    for (const suffix of SIDECAR_SUFFIXES) {
      if ((await identify(`${staged}${suffix}`)) === null) continue;
      throw refuse(staged, `it has a ${suffix} file, so that it is not complete in itself`);
    }
  }
  const parents = [dirname(staged), await nearestExisting(dirname(target))] as const;
  const key = parents.join('\0');
  if (!mounts.has(key)) mounts.set(key, await sameMount(...parents));
  if (mounts.get(key) !== true) {
    throw refuse(staged, `it is not on the file system of "${parents[1]}"`);
  }
}

/**
 * Finds what is wrong with a request before anything is touched.
 * @throws INVALID_PARAMS; PATH_UNSAFE for a target that is a device, pipe or socket, or a directory where a
 *   database is to stand
 */
export async function checkSwapRequest(request: SwapRequest): Promise<void> {
  checkTargets(request.items);
  const mounts = new Map<string, boolean>();
  for (const item of request.items) {
    await checkStaged(item, mounts);
    const before = await identify(item.target);
    if (before?.kind === 'special') {
      throw cannot('PATH_UNSAFE', 'swap', item.target, 'a device, a pipe or a socket stands there');
    }
    if (item.family && before?.kind === 'directory') {
      throw cannot('PATH_UNSAFE', 'swap', item.target, 'a directory stands there');
    }
  }
}
