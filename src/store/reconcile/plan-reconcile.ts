import { existsSync, readdirSync } from 'node:fs';
import { HoldfastError } from '../../kernel/errors.ts';
import { Catalog } from '../catalog/catalog.ts';
import { listPacks } from '../catalog/load-packs.ts';
import type { KeyMaterial } from '../encryption/key-material.ts';
import { openLayout } from '../encryption/unlock.ts';
import { readManifestFile } from '../manifests/manifest-file.ts';
import { listSnapshotIds } from '../manifests/snapshot-list.ts';
import type { ReconcileReport } from './reconcile.ts';

/**
 * What the next writer would put right, told without a lock and without changing anything. Whether a pack is torn
 * only its adoption tells, so that `packsTorn` stays empty here.
 */
export async function planReconcile(
  path: string,
  key: KeyMaterial | null = null,
): Promise<ReconcileReport> {
  const { layout, repositoryId: id } = await openLayout(path, key);
  const catalog = openIfUsable(layout.catalog, id);
  try {
    const knownPacks = new Set(catalog?.packs().map(({ name }) => name));
    const knownSnapshots = new Set(catalog?.summaries().keys());
    const packs = await listPacks(layout);
    const snapshots = listSnapshotIds(layout);
    const snapshotsUnreadable: string[] = [];
    for (const snapshot of snapshots) {
      if (knownSnapshots.has(snapshot)) continue;
      if (!(await isReadable(() => readManifestFile(layout, snapshot)))) {
        snapshotsUnreadable.push(snapshot);
      }
    }
    return {
      temporaryRemoved: existsSync(layout.temporary) ? readdirSync(layout.temporary).length : 0,
      packsAdopted: packs.filter((name) => !knownPacks.has(name)),
      packsTorn: [],
      packsLost: [...knownPacks].filter((name) => !packs.includes(name)),
      snapshotsAdopted: snapshots.filter(
        (each) => !knownSnapshots.has(each) && !snapshotsUnreadable.includes(each),
      ),
      snapshotsDropped: [...knownSnapshots].filter((each) => !snapshots.includes(each)),
      snapshotsUnreadable,
      catalogRebuilt: catalog === null && packs.length > 0,
    };
  } finally {
    catalog?.close();
  }
}

function openIfUsable(path: string, repositoryId: string): Catalog | null {
  try {
    return Catalog.open(path, repositoryId, 'read');
  } catch {
    // Whatever is wrong with it, the next writer makes it anew.
    return null;
  }
}

async function isReadable(read: () => Promise<unknown>): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (error) {
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}
