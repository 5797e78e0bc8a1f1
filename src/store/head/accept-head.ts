import type { Clock } from '../../kernel/clock.ts';
import type { KeyMaterial } from '../encryption/key-material.ts';
import { openLayout } from '../encryption/unlock.ts';
import { makeOwnDirectories } from '../own-directories.ts';
import { lockRepository } from '../repository-lock.ts';
import { compareHead, type HeadFinding } from './compare-head.ts';
import { FolderState } from './folder-state.ts';
import { markOf, successorOf } from './head.ts';
import { readHead, writeHead } from './head-file.ts';
import { firstHead, type HeadMemory } from './head-keeper.ts';

export interface AcceptOptions {
  readonly clock: Clock;
  readonly key: KeyMaterial | null;
  readonly lockWaitMs: number;
  readonly memory: HeadMemory;
  readonly signal?: AbortSignal;
}

/**
 * Takes the repository as it stands for right: a person has looked. Tells what was otherwise than it should have been.
 * @throws REPO_LOCKED, KEY_REQUIRED, KEY_WRONG
 */
export async function acceptHead(
  path: string,
  { clock, key, lockWaitMs, memory, signal }: AcceptOptions,
): Promise<readonly HeadFinding[]> {
  const { layout, repositoryId } = await openLayout(path, key);
  if (layout.keys === null) return [];
  const lock = await lockRepository(layout, {
    purpose: 'accept',
    lockWaitMs,
    clock,
    signal,
  });
  try {
    await makeOwnDirectories(layout);
    const { seen } = memory;
    const found = await compareHead(layout, repositoryId, seen);
    let { head } = await readHead(layout);
    if (head === null || found.length > 0) {
      const entries = await new FolderState(layout).all();
      // Past what was seen, so that whoever has seen more than this one is told as well.
      const behind =
        head !== null && seen?.line === head.line && seen.generation > head.generation
          ? { generation: seen.generation + 1 }
          : {};
      head =
        head === null
          ? firstHead(entries, null)
          : successorOf(head, { entries, pending: [], altered: [], ...behind });
      await writeHead(layout, head);
    }
    await memory.remember(markOf(head, repositoryId));
    return found;
  } finally {
    lock.release();
  }
}
