import { existsSync, readdirSync } from 'node:fs';
import { makeDirectory, TEMPORARY_NAME, writeFileDurably } from '../files/durable.ts';
import { acquireExclusiveLock } from '../files/exclusive-lock.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import { listPacks } from './catalog/load-packs.ts';
import { chooseCodec } from './format/codec.ts';
import { newDescriptor } from './format/descriptor.ts';
import { readDescriptor } from './format/read-descriptor.ts';
import { type Layout, layoutOf } from './layout.ts';
import { makeOwnDirectories } from './own-directories.ts';
import { RepositoryReader } from './reader.ts';
import { type ReconcileReport, reconcile } from './reconcile/reconcile.ts';
import type { StoreReader, StoreWriter } from './store.ts';
import { RepositoryWriter } from './writer.ts';

export { type CheckOptions, type CheckReport, checkRepository } from './check/check-repository.ts';
export type { CheckFinding } from './check/findings.ts';
export { type SnapshotVerification, verifySnapshot } from './check/verify-snapshot.ts';
export { type PruneOptions, type PruneReport, pruneRepository } from './gc/prune.ts';
export { acquireLease, type HeldLease } from './leases/acquire-lease.ts';
export type { ListedLease } from './leases/list-leases.ts';
export { type RepositoryLocks, removeStaleLeases, repositoryLocks } from './leases/locks.ts';
export { planReconcile } from './reconcile/plan-reconcile.ts';
export { type RebuildReport, rebuildCatalog } from './reconcile/rebuild-catalog.ts';
export type { ReconcileReport } from './reconcile/reconcile.ts';

/** How repositories are created and opened; docs/format.md describes what they are made of. */

const INIT_LOCK_WAIT_MS = 10_000;
const OWN_NAMES =
  /^(packs|snapshots|notes|removed|leases|tmp|set-aside|lost\+found|lock\.db.*|catalog\.db.*)$/;

/**
 * Creates a repository where none is; does nothing to one that exists.
 * @throws TARGET_NOT_EMPTY in a folder with other files, REPO_CORRUPT where packs stand without a
 *   description, UNSUPPORTED_FORMAT where another format stands
 */
export async function initRepository(path: string, options: { clock: Clock }): Promise<void> {
  const layout = layoutOf(path);
  await makeDirectory(path);
  if (existsSync(layout.descriptor)) {
    await readDescriptor(layout);
    return;
  }
  assertOwnFolder(path);
  const lock = await acquireExclusiveLock(layout.lock, {
    purpose: 'create repository',
    waitMs: INIT_LOCK_WAIT_MS,
    code: 'REPO_LOCKED',
    clock: options.clock,
  });
  try {
    // Another process may have created it while this one waited.
    if (existsSync(layout.descriptor)) return;
    for (const directory of [
      'packs',
      'snapshots',
      'notes',
      'removed',
      'leases',
      'temporary',
      'setAside',
    ] as const) {
      await makeDirectory(layout[directory]);
    }
    await assertNoPacks(layout);
    // Last: a folder is a repository only when everything else is there.
    const descriptor = newDescriptor(newId(options.clock.nowMs()));
    await writeFileDurably(layout.descriptor, `${JSON.stringify(descriptor, null, 2)}\n`);
  } finally {
    lock.release();
  }
}

function assertOwnFolder(path: string): void {
  const foreign = readdirSync(path).find(
    (name) => !OWN_NAMES.test(name) && !TEMPORARY_NAME.test(name),
  );
  if (foreign === undefined) return;
  throw cannot('TARGET_NOT_EMPTY', 'create repository', path, `"${foreign}" is in the way`, {
    hint: 'Choose an empty or a new folder.',
  });
}

async function assertNoPacks(layout: Layout): Promise<void> {
  const packs = await listPacks(layout);
  if (packs.length === 0) return;
  throw cannot('REPO_CORRUPT', 'create repository', layout.root, 'packs stand there already', {
    hint: 'A repository lost its holdfast.json here: restore that file from a replica.',
    details: { packs: packs.length },
  });
}

/** Opens for reading; takes no lock, and needs no catalog. @throws REPO_UNINITIALISED, UNSUPPORTED_FORMAT, REPO_CORRUPT */
export async function openReader(path: string): Promise<StoreReader> {
  const layout = layoutOf(path);
  const { id } = await readDescriptor(layout);
  return RepositoryReader.open(layout, id);
}

export interface OpenWriterOptions {
  readonly codec: 'auto' | 'brotli' | 'zstd' | 'none';
  readonly verifyWrites: 'sample' | 'all';
  readonly clock: Clock;
  /** How long to wait for another writer. */
  readonly lockWaitMs: number;
  /** Shown to whoever is refused meanwhile. */
  readonly purpose: string;
  readonly signal?: AbortSignal;
}

/**
 * Opens for writing, alone; puts right what interrupted work left behind.
 * @throws REPO_LOCKED, REPO_UNINITIALISED, UNSUPPORTED_FORMAT, REPO_CORRUPT, CAPABILITY_REQUIRED
 */
export async function openWriter(
  path: string,
  options: OpenWriterOptions,
): Promise<StoreWriter & { readonly reconciled: ReconcileReport }> {
  const layout = layoutOf(path);
  const { id: repositoryId } = await readDescriptor(layout);
  const codec = chooseCodec(options.codec);
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const lock = await acquireExclusiveLock(layout.lock, {
    purpose: options.purpose,
    waitMs: options.lockWaitMs,
    code: 'REPO_LOCKED',
    clock: options.clock,
    ...signal,
  });
  try {
    await makeOwnDirectories(layout);
    const { catalog, report } = await reconcile(layout, repositoryId, signal);
    const { verifyWrites, clock } = options;
    const parts = { layout, repositoryId, catalog, lock, clock, codec, verifyWrites };
    return new RepositoryWriter({ ...parts, reconciled: report });
  } catch (error) {
    lock.release();
    throw error;
  }
}
