import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { HoldfastError, systemCode } from '../../kernel/errors.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { listPacks, loadPacks, type ReadIndex } from '../catalog/load-packs.ts';
import { NO_DAMAGE, readKnownDamage, writeKnownDamage } from '../damage/known-damage.ts';
import { type Layout, packPath } from '../layout.ts';
import { readManifestFile } from '../manifests/manifest-file.ts';
import { listSnapshotIds } from '../manifests/snapshot-list.ts';
import { encodeSummary, summarise } from '../manifests/summary.ts';
import { packIndexOf, readPackIndex } from '../packs/pack-index.ts';
import { packOwner } from '../packs/pack-owner.ts';
import { finishRemovals } from '../removal/finish-removals.ts';
import { cleanTemporary } from './clean-temporary.ts';
import { openCatalog, replaceCatalog } from './open-catalog.ts';
import { rescueTornPack } from './rescue-torn-pack.ts';

/** What opening a writer found and put right (docs/format.md, order of writes). */
export interface ReconcileReport {
  /** Files of interrupted work that were removed. */
  readonly temporaryRemoved: number;
  /** Packs that stood in the folder but not in the catalog. */
  readonly packsAdopted: readonly string[];
  /** Packs whose index was damaged: sound records were saved, the file moved to `set-aside/`. */
  readonly packsTorn: readonly string[];
  /** Packs that the catalog knew and that are gone or torn: snapshots may have lost data. */
  readonly packsLost: readonly string[];
  readonly snapshotsAdopted: readonly string[];
  readonly snapshotsDropped: readonly string[];
  /** Manifests that cannot be read; left where they are, not listed. */
  readonly snapshotsUnreadable: readonly string[];
  /** The catalog was missing or wrong, and there were packs to read it from. */
  readonly catalogRebuilt: boolean;
}

export interface ReconcileOptions {
  /** Throws the catalog away first. */
  readonly rebuild?: boolean;
  readonly signal?: AbortSignal;
}

/** Brings folder and catalog into agreement. Only under the writer's lock; the caller closes the catalog. */
export async function reconcile(
  layout: Layout,
  repositoryId: string,
  options: ReconcileOptions = {},
): Promise<{ catalog: Catalog; report: ReconcileReport }> {
  try {
    return await reconcileOnce(layout, repositoryId, options);
  } catch (error) {
    const damaged = error instanceof HoldfastError && error.details?.['catalog'] !== undefined;
    if (!damaged || options.rebuild === true) throw error;
    return reconcileOnce(layout, repositoryId, { ...options, rebuild: true });
  }
}

async function reconcileOnce(
  layout: Layout,
  repositoryId: string,
  options: ReconcileOptions,
): Promise<{ catalog: Catalog; report: ReconcileReport }> {
  const temporaryRemoved = await cleanTemporary(layout);
  const opened = await openForReconciling(layout, repositoryId, options.rebuild === true);
  let { catalog } = opened;
  try {
    const packsLost = await lostPacks(catalog, layout);
    const rebuilding = opened.created || packsLost.length > 0;
    const lost = await noteLost(catalog, layout, packsLost);
    if (packsLost.length > 0) {
      // Another pack may hold some of what is gone: only reading all footers again tells.
      catalog.close();
      catalog = await replaceCatalog(layout, repositoryId);
    }
    const readIndex = rebuilding
      ? footerReader(layout, repositoryId)
      : wholeReader(layout, repositoryId);
    const { signal } = options;
    const packs = await loadPacks(catalog, layout, readIndex, signal, { keepsLoading: true });
    for (const name of packs.torn) await rescueTornPack(catalog, layout, repositoryId, name);
    // Not before: deltas of sound packs may have their base in what was saved from a torn one.
    if (catalog.isLoading) catalog.endLoading();
    await noteFound(catalog, layout, lost);
    await finishRemovals(layout);
    const snapshots = await reconcileSnapshots(catalog, layout);
    const report: ReconcileReport = {
      temporaryRemoved,
      packsAdopted: rebuilding ? [] : packs.added,
      packsTorn: packs.torn,
      packsLost,
      ...snapshots,
      snapshotsAdopted: rebuilding ? [] : snapshots.snapshotsAdopted,
      catalogRebuilt: rebuilding && packs.added.length + packs.torn.length > 0,
    };
    return { catalog, report };
  } catch (error) {
    catalog.close();
    throw error;
  }
}

async function openForReconciling(
  layout: Layout,
  repositoryId: string,
  rebuild: boolean,
): Promise<{ catalog: Catalog; created: boolean }> {
  if (rebuild) return { catalog: await replaceCatalog(layout, repositoryId), created: true };
  return openCatalog(layout, repositoryId);
}

/** Packs of the catalog that are gone, or no longer as long as they were. */
async function lostPacks(catalog: Catalog, layout: Layout): Promise<string[]> {
  const present = new Set(await listPacks(layout));
  const lost: string[] = [];
  for (const { name, bytes } of catalog.packs()) {
    const sameLength = present.has(name) && (await lengthOf(packPath(layout, name))) === bytes;
    if (!sameLength) lost.push(name);
  }
  return lost;
}

/** Before the catalog that knows it is thrown away: what stood in lost packs, all of which may be missing now. */
async function noteLost(
  catalog: Catalog,
  layout: Layout,
  packs: readonly string[],
): Promise<readonly string[]> {
  if (packs.length === 0) return [];
  const ids = catalog.objectsIn(packs);
  const known = readKnownDamage(layout) ?? NO_DAMAGE;
  await writeKnownDamage(layout, { ...known, missing: new Set([...known.missing, ...ids]) });
  return ids;
}

/** What was saved from torn packs, or stood in others too, is not missing. */
async function noteFound(catalog: Catalog, layout: Layout, lost: readonly string[]): Promise<void> {
  if (lost.length === 0) return;
  const known = readKnownDamage(layout) ?? NO_DAMAGE;
  const missing = new Set([...known.missing].filter((id) => catalog.find(id) === null));
  await writeKnownDamage(layout, { ...known, missing });
}

async function lengthOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

const footerReader =
  (layout: Layout, repositoryId: string): ReadIndex =>
  (name) =>
    readPackIndex(packOwner(layout, repositoryId), packPath(layout, name));

/** Packs of an interrupted writer are few: they are hashed whole before anything relies on them. */
const wholeReader =
  (layout: Layout, repositoryId: string): ReadIndex =>
  async (name) => {
    const pack = await readFile(packPath(layout, name));
    const intact = createHash('sha256').update(pack).digest('hex') === name;
    return {
      entries: intact ? packIndexOf(packOwner(layout, repositoryId), pack) : null,
      bytes: pack.length,
    };
  };

async function reconcileSnapshots(
  catalog: Catalog,
  layout: Layout,
): Promise<Pick<ReconcileReport, 'snapshotsAdopted' | 'snapshotsDropped' | 'snapshotsUnreadable'>> {
  const known = catalog.summaries();
  const present = listSnapshotIds(layout);
  const snapshotsAdopted: string[] = [];
  const snapshotsUnreadable: string[] = [];
  for (const id of present) {
    if (known.has(id)) continue;
    try {
      catalog.putSnapshot(
        id,
        encodeSummary(layout, summarise(id, await readManifestFile(layout, id))),
      );
      snapshotsAdopted.push(id);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      snapshotsUnreadable.push(id);
    }
  }
  const folder = new Set(present);
  const snapshotsDropped = [...known.keys()].filter((id) => !folder.has(id));
  catalog.dropSnapshots(snapshotsDropped);
  return { snapshotsAdopted, snapshotsDropped, snapshotsUnreadable };
}
