import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { makeDirectory, syncDirectory } from '../../files/durable.ts';
import { durableStep } from '../../files/durable-steps.ts';
import type { Clock } from '../../kernel/clock.ts';
import { cannot, HoldfastError } from '../../kernel/errors.ts';
import { shortId } from '../../kernel/ids.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { type Layout, manifestPath, removedPath } from '../layout.ts';
import { leasedSnapshots } from '../leases/list-leases.ts';
import type { StoreReader } from '../store.ts';
import { removeNotes } from './finish-removals.ts';

/** docs/format.md, Removal, 1 and 2. Only under the writer's lock. */
export async function removeSnapshotFiles(
  layout: Layout,
  catalog: Catalog,
  reader: Pick<StoreReader, 'readNotes'>,
  ids: readonly string[],
  clock: Clock,
  /** Called once nothing speaks against it any more. */
  intend: (ids: readonly string[]) => Promise<void>,
): Promise<void> {
  const distinct = [...new Set(ids)];
  if (distinct.length === 0) return;
  assertThere(layout, distinct);
  await assertFree(layout, reader, distinct, clock);
  await intend(distinct);
  await makeDirectory(layout.removed);
  for (const id of distinct) {
    const [from, to] = [manifestPath(layout, id), removedPath(layout, id)];
    await durableStep('rename', to, () => rename(from, to));
  }
  await syncDirectory(layout.removed);
  await syncDirectory(layout.snapshots);
  await removeNotes(layout, distinct);
  catalog.dropSnapshots(distinct);
}

function assertThere(layout: Layout, ids: readonly string[]): void {
  const missing = ids.find((id) => !existsSync(manifestPath(layout, id)));
  if (missing === undefined) return;
  throw cannot('NOT_FOUND', 'remove snapshot', missing, 'no snapshot has this id', {
    details: { missing },
  });
}

async function assertFree(
  layout: Layout,
  reader: Pick<StoreReader, 'readNotes'>,
  ids: readonly string[],
  clock: Clock,
): Promise<void> {
  const leased = await leasedSnapshots(layout, clock);
  const inUse = ids.filter((id) => leased.has(id));
  const pinned: string[] = [];
  for (const id of ids) if (await isPinned(reader, id)) pinned.push(id);
  const held = [...new Set([...pinned, ...inUse])];
  if (held.length === 0) return;
  const state = [
    ...(pinned.length > 0 ? [`pinned: ${inShort(pinned)}`] : []),
    ...(inUse.length > 0 ? [`being read: ${inShort(inUse)}`] : []),
  ].join('; ');
  throw cannot('IN_USE', 'remove snapshots', inShort(held), state, {
    hint:
      pinned.length > 0
        ? 'Unpin them first: holdfast unpin.'
        : 'Wait until they were read; holdfast repository locks shows by whom.',
    retryable: pinned.length === 0,
    details: { pinned: pinned.slice(0, 100), leased: inUse.slice(0, 100) },
  });
}

/** Notes that cannot be read may have said so. */
async function isPinned(reader: Pick<StoreReader, 'readNotes'>, id: string): Promise<boolean> {
  try {
    return (await reader.readNotes(id)).pinned;
  } catch (error) {
    if (error instanceof HoldfastError) return true;
    throw error;
  }
}

function inShort(ids: readonly string[]): string {
  const first = ids.slice(0, 5).map(shortId).join(', ');
  return ids.length > 5 ? `${first} and ${ids.length - 5} more` : first;
}
