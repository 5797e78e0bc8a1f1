import { stat } from 'node:fs/promises';
import type { Activity } from '../../kernel/activity.ts';
import type { Clock } from '../../kernel/clock.ts';
import { cannot } from '../../kernel/errors.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { listPacks } from '../catalog/load-packs.ts';
import { ObjectIndex } from '../catalog/object-index.ts';
import { ObjectReader } from '../chunks/object-reader.ts';
import type { KeyMaterial } from '../encryption/key-material.ts';
import { openLayout } from '../encryption/unlock.ts';
import { PACK_BYTES_TARGET } from '../format/bounds.ts';
import { type Layout, packPath, removedPath } from '../layout.ts';
import { leasedSnapshots } from '../leases/list-leases.ts';
import { readManifestFile } from '../manifests/manifest-file.ts';
import { listSnapshotIds } from '../manifests/snapshot-list.ts';
import { makeOwnDirectories } from '../own-directories.ts';
import { PackFiles } from '../packs/pack-files.ts';
import { reconcile } from '../reconcile/reconcile.ts';
import { listRemovedIds, unlinkAll } from '../removal/finish-removals.ts';
import { lockRepository } from '../repository-lock.ts';
import { chooseRewrites, type PackChoice } from './choose-packs.ts';
import { LiveObjects, type PackUse } from './live-objects.ts';
import { LiveMarker } from './mark-live.ts';
import { dropPacks, type MoveContext, rewritePacks } from './move-packs.ts';

export interface PruneOptions {
  readonly clock: Clock;
  /** What was removed or written later than this stays. */
  readonly graceMs: number;
  /** 0 to 1: packs of which more than this is not needed are rewritten. */
  readonly unusedShare: number;
  readonly dryRun: boolean;
  readonly lockWaitMs: number;
  /** Of an encrypted repository. */
  readonly key?: KeyMaterial | null;
}

export interface PruneReport {
  readonly dryRun: boolean;
  readonly packsBefore: number;
  /** As expected, in a dry run; so are the next four. */
  readonly packsAfter: number;
  readonly packsDropped: number;
  readonly packsRewritten: number;
  /** What the files of packs and removed manifests took before, less what they take now. */
  readonly bytesFreed: number;
  readonly chunksRemoved: number;
  /** Removed snapshots that are past their grace period. */
  readonly snapshotsExpired: number;
  /** Removed snapshots that still hold their data. */
  readonly snapshotsInGrace: number;
  /** Packs left alone because they are young. */
  readonly packsInGrace: number;
}

/**
 * Gives back the space of what no snapshot needs: docs/format.md, Removal. Alone with the repository's lock; readers
 * go on. Stopped at any point, all snapshots are whole and the next prune goes on.
 * @throws REPO_LOCKED, REPO_UNINITIALISED; VERIFY_FAILED, REPO_CORRUPT, before anything was changed, where it is
 *   not known what a snapshot needs
 */
export async function pruneRepository(
  path: string,
  options: PruneOptions,
  activity: Activity,
): Promise<PruneReport> {
  const { layout, repositoryId: id } = await openLayout(path, options.key ?? null);
  const lock = await lockRepository(layout, {
    purpose: 'prune',
    lockWaitMs: options.lockWaitMs,
    clock: options.clock,
    signal: activity.signal,
  });
  try {
    await makeOwnDirectories(layout);
    activity.progress({ phase: 'reconcile' });
    const { catalog } = await reconcile(layout, id, { signal: activity.signal });
    try {
      return await new Prune(layout, id, catalog, options, activity).run();
    } finally {
      catalog.close();
    }
  } finally {
    lock.release();
  }
}

class Prune {
  readonly #layout: Layout;
  readonly #repositoryId: string;
  readonly #catalog: Catalog;
  readonly #options: PruneOptions;
  readonly #activity: Activity;

  constructor(
    layout: Layout,
    repositoryId: string,
    catalog: Catalog,
    options: PruneOptions,
    activity: Activity,
  ) {
    this.#layout = layout;
    this.#repositoryId = repositoryId;
    this.#catalog = catalog;
    this.#options = options;
    this.#activity = activity;
  }

  async run(): Promise<PruneReport> {
    const live = new LiveObjects(this.#layout.catalog);
    try {
      const removed = await this.#sortRemoved();
      const before = await this.#measure();
      await this.#mark(live, removed.inGrace);
      const packs = live.packs();
      const young = await this.#youngPacks(packs);
      const choice = chooseRewrites(
        packs.filter(({ name }) => !young.has(name)),
        this.#options.unusedShare,
      );
      const facts = {
        packsBefore: packs.length,
        chunksRemoved: [...choice.drop, ...choice.rewrite].reduce(
          (sum, p) => sum + p.deadChunks,
          0,
        ),
        snapshotsExpired: removed.expired.length,
        snapshotsInGrace: removed.inGrace.length,
        packsInGrace: young.size,
      };
      if (this.#options.dryRun)
        return { ...facts, ...expected(packs.length, choice), dryRun: true };
      return { ...facts, ...(await this.#sweep(live, choice, removed.expired, before)) };
    } finally {
      live.close();
    }
  }

  async #sweep(live: LiveObjects, choice: PackChoice, expired: string[], bytesBefore: number) {
    const { removed } = this.#layout;
    const paths = expired.map((id) => removedPath(this.#layout, id));
    await unlinkAll(paths, removed);
    const context: MoveContext = {
      layout: this.#layout,
      repositoryId: this.#repositoryId,
      catalog: this.#catalog,
      live,
      activity: this.#activity,
    };
    this.#forgetBaseless(live, [...choice.drop, ...choice.rewrite]);
    this.#activity.progress({ phase: 'drop packs' });
    const packsDropped = await dropPacks(choice.drop, context);
    this.#activity.progress({ phase: 'rewrite packs' });
    const packsRewritten = await rewritePacks(choice.rewrite, context);
    return {
      dryRun: false,
      packsAfter: this.#catalog.packs().length,
      packsDropped,
      packsRewritten,
      bytesFreed: bytesBefore - (await this.#measure()),
    };
  }

  /**
   * A delta that nothing needs may stay in its pack when its base goes with another. Forgotten before, or the same
   * content would be taken for stored when it comes again.
   */
  #forgetBaseless(live: LiveObjects, going: readonly PackUse[]): void {
    const ids = live.baselessWithout(going.map(({ name }) => name));
    if (ids.length > 0) this.#catalog.forget(ids);
  }

  /** Manifests in `removed/`, by whether they still hold their data. */
  async #sortRemoved(): Promise<{ expired: string[]; inGrace: string[] }> {
    const leased = await leasedSnapshots(this.#layout, this.#options.clock);
    const expired: string[] = [];
    const inGrace: string[] = [];
    for (const id of listRemovedIds(this.#layout)) {
      const { ctimeMs } = await stat(removedPath(this.#layout, id));
      (leased.has(id) || this.#isYoung(ctimeMs) ? inGrace : expired).push(id);
    }
    return { expired, inGrace };
  }

  /** What is dated in the future is young: a clock that was set back removes nothing. */
  #isYoung(atMs: number): boolean {
    const { clock, graceMs } = this.#options;
    return graceMs > 0 && clock.nowMs() - atMs < graceMs;
  }

  async #youngPacks(packs: readonly PackUse[]): Promise<Set<string>> {
    const young = new Set<string>();
    for (const { name } of packs) {
      if (this.#isYoung((await stat(packPath(this.#layout, name))).mtimeMs)) young.add(name);
    }
    return young;
  }

  async #mark(live: LiveObjects, inGrace: readonly string[]): Promise<void> {
    const files = new PackFiles(this.#layout);
    const index = ObjectIndex.over(this.#catalog, this.#layout, this.#repositoryId);
    const objects = new ObjectReader(index, files, this.#layout.keys);
    const marker = new LiveMarker(live, (id) => objects.read(id), this.#activity);
    const standing = listSnapshotIds(this.#layout).map((id) => [this.#layout, id] as const);
    const removedLayout = { ...this.#layout, snapshots: this.#layout.removed };
    const all = [...standing, ...inGrace.map((id) => [removedLayout, id] as const)];
    const counts = { filesDone: 0, totalFiles: all.length };
    this.#activity.progress({ phase: 'mark', ...counts });
    try {
      for (const [layout, id] of all) {
        this.#activity.signal.throwIfAborted();
        await marker.mark(await readManifestFile(layout, id));
        counts.filesDone += 1;
        this.#activity.progress(counts);
      }
    } finally {
      files.close();
      index.close();
    }
    live.addBases();
    const missing = live.missing();
    if (missing === null) return;
    const state = `a snapshot needs object ${missing}, which no pack holds`;
    throw cannot('REPO_CORRUPT', 'prune', this.#layout.root, state, {
      hint: 'Run "holdfast check"; prune works again once the damaged snapshots are removed.',
      details: { object: missing },
    });
  }

  async #measure(): Promise<number> {
    const paths = [
      ...(await listPacks(this.#layout)).map((name) => packPath(this.#layout, name)),
      ...listRemovedIds(this.#layout).map((id) => removedPath(this.#layout, id)),
    ];
    let bytes = 0;
    for (const path of paths) bytes += (await stat(path)).size;
    return bytes;
  }
}

function expected(packs: number, { drop, rewrite }: PackChoice) {
  const sum = (list: readonly PackUse[], of: (pack: PackUse) => number): number =>
    list.reduce((total, pack) => total + of(pack), 0);
  const liveBytes = sum(rewrite, (pack) => pack.liveBytes);
  return {
    packsAfter: packs - drop.length - rewrite.length + Math.ceil(liveBytes / PACK_BYTES_TARGET),
    packsDropped: drop.length,
    packsRewritten: rewrite.length,
    bytesFreed: sum([...drop, ...rewrite], ({ bytes }) => bytes) - liveBytes,
  };
}
