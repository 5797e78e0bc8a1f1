import type { Activity } from '../../kernel/activity.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { KeyMaterial } from '../encryption/key-material.ts';
import { openLayout } from '../encryption/unlock.ts';
import { lockRepository } from '../repository-lock.ts';
import { type ReconcileReport, reconcile } from './reconcile.ts';

export interface RebuildReport {
  readonly packs: number;
  readonly chunks: number;
  readonly snapshots: number;
  readonly reconciled: ReconcileReport;
}

const LOCK_WAIT_MS = 10_000;

/**
 * Throws the catalog away and reads it again from packs and manifests, as the only writer.
 * @throws REPO_LOCKED, REPO_UNINITIALISED, UNSUPPORTED_FORMAT, REPO_CORRUPT, KEY_REQUIRED, KEY_WRONG
 */
export async function rebuildCatalog(
  path: string,
  options: { readonly clock: Clock; readonly key?: KeyMaterial | null },
  activity: Activity,
): Promise<RebuildReport> {
  const { layout, repositoryId: id } = await openLayout(path, options.key ?? null);
  const { signal } = activity;
  const lock = await lockRepository(layout, {
    purpose: 'rebuild catalog',
    lockWaitMs: LOCK_WAIT_MS,
    clock: options.clock,
    signal,
  });
  try {
    const { catalog, report } = await reconcile(layout, id, { rebuild: true, signal });
    try {
      const { packs, chunks } = catalog.counts();
      const snapshots = catalog.summaries().size;
      return { packs, chunks, snapshots, reconciled: report };
    } finally {
      catalog.close();
    }
  } finally {
    lock.release();
  }
}
