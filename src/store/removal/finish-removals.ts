import { existsSync, readdirSync } from 'node:fs';
import { readdir, unlink } from 'node:fs/promises';
import { syncDirectory } from '../../files/durable.ts';
import { durableStep } from '../../files/durable-steps.ts';
import { systemCode } from '../../kernel/errors.ts';
import { type Layout, manifestPath, notesPath, removedPath, snapshotIdOf } from '../layout.ts';

/** Ids of the manifests in `removed/`. */
export function listRemovedIds(layout: Layout): string[] {
  if (!existsSync(layout.removed)) return [];
  return readdirSync(layout.removed).flatMap((file) => snapshotIdOf(file) ?? []);
}

/** What an interrupted removal left to do, the catalog apart. Only under the writer's lock. */
export async function finishRemovals(layout: Layout): Promise<void> {
  const removed = listRemovedIds(layout);
  if (removed.length === 0) return;
  const noted = new Set((await readdir(layout.notes)).flatMap((file) => snapshotIdOf(file) ?? []));
  const returned = removed.filter((id) => existsSync(manifestPath(layout, id)));
  const gone = new Set(returned);
  await unlinkAll(
    returned.map((id) => removedPath(layout, id)),
    layout.removed,
  );
  await removeNotes(
    layout,
    removed.filter((id) => !gone.has(id) && noted.has(id)),
  );
}

export async function removeNotes(layout: Layout, ids: readonly string[]): Promise<void> {
  await unlinkAll(
    ids.map((id) => notesPath(layout, id)),
    layout.notes,
  );
}

/** Unlinks files of one directory, which is synced once. Missing ones are fine. */
export async function unlinkAll(paths: readonly string[], directory: string): Promise<void> {
  for (const path of paths) {
    await durableStep('unlink', path, () => unlink(path)).catch((error) => {
      if (systemCode(error) !== 'ENOENT') throw error;
    });
  }
  if (paths.length > 0) await syncDirectory(directory);
}
