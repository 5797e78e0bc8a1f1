import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Activity } from '../../kernel/activity.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import { shortId } from '../../kernel/ids.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ObjectReader } from '../chunks/object-reader.ts';
import { type Layout, snapshotIdOf } from '../layout.ts';
import { readManifestFile } from '../manifests/manifest-file.ts';
import { readNotesFile } from '../manifests/notes-file.ts';
import type { Findings } from './findings.ts';
import type { FoundDamage } from './found-damage.ts';
import { SnapshotWalker } from './walk-snapshot.ts';

/** Every manifest hashes to its name, and everything that it refers to is in some pack. */
export async function checkSnapshots(
  ids: readonly string[],
  layout: Layout,
  index: Catalog,
  objects: ObjectReader,
  findings: Findings,
  activity: Activity,
  damage: FoundDamage,
): Promise<{ trees: number }> {
  let snapshot = '';
  const walker = new SnapshotWalker(
    (id) => objects.read(id),
    {
      chunk: (id, path, expectedBytes) => {
        const plainBytes = index.plainBytesOf(id);
        if (plainBytes === expectedBytes) return;
        const where = `${shortId(snapshot)}:${path}`;
        if (plainBytes === null) {
          damage.missing.add(id);
          findings.error('OBJECT_MISSING', `chunk ${id} is in no pack`, where);
        } else {
          const message = `chunk ${id} is ${plainBytes} bytes long, not ${expectedBytes}`;
          findings.error('CONTENT_DAMAGED', message, where);
        }
      },
      damaged: (path, error) => {
        damage.failure(error);
        findings.error('CONTENT_DAMAGED', error.message, `${shortId(snapshot)}:${path}`);
      },
    },
    activity,
  );
  for (const [done, id] of ids.entries()) {
    activity.signal.throwIfAborted();
    activity.progress({ phase: 'snapshots', filesDone: done, totalFiles: ids.length });
    snapshot = id;
    try {
      await walker.walk(await readManifestFile(layout, id));
    } catch (error) {
      // Removed meanwhile: no snapshot any more, so no finding.
      if (!(error instanceof HoldfastError)) throw error;
      if (error.code === 'NOT_FOUND') continue;
      findings.error('SNAPSHOT_DAMAGED', error.message, `snapshots/${id}.json`);
    }
  }
  return { trees: walker.trees };
}

/** Notes are sound and belong to a snapshot; nothing else stands in those two folders. */
export async function checkNotes(
  ids: readonly string[],
  layout: Layout,
  findings: Findings,
): Promise<void> {
  const snapshots = new Set(ids);
  for (const file of await readdir(layout.notes)) {
    const id = snapshotIdOf(file);
    const path = join('notes', file);
    if (id === null) {
      findings.warning('FOREIGN_FILE', 'it is not part of the repository', path);
      continue;
    }
    if (!snapshots.has(id)) {
      findings.warning('NOTES_ORPHANED', 'its snapshot is gone', path);
      continue;
    }
    try {
      readNotesFile(layout, id);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      findings.error('NOTES_DAMAGED', error.message, path);
    }
  }
  for (const file of await readdir(layout.snapshots)) {
    if (snapshotIdOf(file) !== null) continue;
    findings.warning('FOREIGN_FILE', 'it is not part of the repository', join('snapshots', file));
  }
}
