import { existsSync, readdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  makeDirectory,
  removeDurably,
  TEMPORARY_NAME,
  writeFileDurably,
} from '../files/durable.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import { listPacks } from './catalog/load-packs.ts';
import { removeFormer } from './conversion/remove-former.ts';
import type { KeyMaterial } from './encryption/key-material.ts';
import { wrapMasterKey } from './encryption/key-slot.ts';
import { writeKeySlot } from './encryption/key-slot-files.ts';
import { deriveKeys, newMasterKey } from './encryption/repository-keys.ts';
import { openLayout } from './encryption/unlock.ts';
import { chooseCodec } from './format/codec.ts';
import { ENCRYPTION_SCHEME, newDescriptor } from './format/descriptor.ts';
import { FolderState } from './head/folder-state.ts';
import { writeHead } from './head/head-file.ts';
import { firstHead, HeadKeeper, type HeadMemory } from './head/head-keeper.ts';
import { type Layout, layoutOf } from './layout.ts';
import { tidyLeases } from './leases/tidy-leases.ts';
import { makeOwnDirectories } from './own-directories.ts';
import { RepositoryReader } from './reader.ts';
import { type ReconcileReport, reconcile } from './reconcile/reconcile.ts';
import { lockRepository } from './repository-lock.ts';
import type { StoreReader, StoreWriter } from './store.ts';
import { RepositoryWriter } from './writer.ts';

export { type CheckOptions, type CheckReport, checkRepository } from './check/check-repository.ts';
export type { CheckFinding } from './check/findings.ts';
export { FoundDamage } from './check/found-damage.ts';
export { type SnapshotVerification, verifySnapshot } from './check/verify-snapshot.ts';
export {
  addKeySlot,
  type ChangeKeysOptions,
  type KeySlotListing,
  listKeySlots,
  removeKeySlot,
} from './encryption/change-key-slots.ts';
export type { KeyMaterial, SlotMaterial } from './encryption/key-material.ts';
export { type RotatedKey, rotateKeySlot } from './encryption/rotate-key-slot.ts';
export { unlockRepository } from './encryption/unlock.ts';
export { type PruneOptions, type PruneReport, pruneRepository } from './gc/prune.ts';
export { type AcceptOptions, acceptHead } from './head/accept-head.ts';
export type { HeadFinding } from './head/compare-head.ts';
export type { HeadMark } from './head/head.ts';
export type { HeadMemory } from './head/head-keeper.ts';
export { acquireLease, type HeldLease } from './leases/acquire-lease.ts';
export type { ListedLease } from './leases/list-leases.ts';
export { type RepositoryLocks, removeStaleLeases, repositoryLocks } from './leases/locks.ts';
export { planReconcile } from './reconcile/plan-reconcile.ts';
export { type RebuildReport, rebuildCatalog } from './reconcile/rebuild-catalog.ts';
export type { ReconcileReport } from './reconcile/reconcile.ts';
export { isDamageKnown, recordDamage } from './repair/record-damage.ts';
export type { RepairedSnapshot, RepairReport } from './repair/repair-report.ts';
export { type RepairOptions, repairRepository } from './repair/repair-repository.ts';

/** How repositories are created and opened; docs/format.md describes what they are made of. */

const INIT_LOCK_WAIT_MS = 10_000;
const OWN_NAMES =
  /^(packs|snapshots|notes|removed|leases|keys|tmp|set-aside|data-[0-9a-f]{16}|head\.json|superseded\.json|lost\+found|damaged\.json|lock\.db.*|catalog\.db.*)$/;

export interface InitOptions {
  readonly clock: Clock;
  /** Makes an encrypted repository, which this key opens. */
  readonly key?: KeyMaterial | null;
  /** The repository that this one is made of. */
  readonly formerId?: string;
}

/**
 * Creates a repository where none is; does nothing to one that exists and that the key opens.
 * @throws TARGET_NOT_EMPTY in a folder with other files, REPO_CORRUPT where packs stand without a
 *   description, UNSUPPORTED_FORMAT where another format stands, KEY_REQUIRED, KEY_WRONG
 */
export async function initRepository(path: string, options: InitOptions): Promise<void> {
  const layout = layoutOf(path);
  const { key = null } = options;
  await makeDirectory(path);
  if (existsSync(layout.descriptor)) {
    await openLayout(path, key);
    return;
  }
  assertOwnFolder(path);
  const lock = await lockRepository(layout, {
    purpose: 'create repository',
    lockWaitMs: INIT_LOCK_WAIT_MS,
    clock: options.clock,
  });
  try {
    // Another process may have created it while this one waited.
    if (existsSync(layout.descriptor)) {
      await openLayout(path, key);
      return;
    }
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
    const repositoryId = newId(options.clock.nowMs());
    if (key !== null) await makeFirstSlot(layout, repositoryId, key, options);
    const descriptor = newDescriptor(repositoryId, key === null ? null : ENCRYPTION_SCHEME);
    await writeFileDurably(layout.descriptor, `${JSON.stringify(descriptor, null, 2)}\n`);
  } finally {
    lock.release();
  }
}

/** Slots of a creation that was interrupted are of no use to anybody: no repository has ever had that master key. */
async function makeFirstSlot(
  layout: Layout,
  repositoryId: string,
  key: KeyMaterial,
  { clock, formerId }: InitOptions,
): Promise<void> {
  if (key.kind === 'master') {
    throw cannot('KEY_WRONG', 'create repository', layout.root, 'the one that was there is gone', {
      hint: 'Look for it first. To start anew, restart Holdfast.',
    });
  }
  await makeDirectory(layout.keySlots);
  for (const name of await readdir(layout.keySlots))
    await removeDurably(join(layout.keySlots, name));
  const nowMs = clock.nowMs();
  const slot = { id: newId(nowMs), repository: repositoryId, createdAt: isoTime(nowMs) };
  const master = newMasterKey();
  await writeKeySlot(layout, await wrapMasterKey(master, key, slot));
  const sealed = { ...layout, keys: deriveKeys(master, repositoryId) };
  await writeHead(sealed, firstHead(await new FolderState(sealed).all(), formerId ?? null));
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

/**
 * Opens for reading; takes no lock, and needs no catalog.
 * @throws REPO_UNINITIALISED, UNSUPPORTED_FORMAT, REPO_CORRUPT, KEY_REQUIRED, KEY_WRONG
 */
export async function openReader(
  path: string,
  key: KeyMaterial | null = null,
): Promise<StoreReader> {
  const { layout, repositoryId } = await openLayout(path, key);
  return RepositoryReader.open(layout, repositoryId);
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
  /** Of an encrypted repository. */
  readonly key?: KeyMaterial | null;
  /** Of its heads; nothing is remembered without. */
  readonly memory?: HeadMemory | null;
}

/**
 * Opens for writing, alone; puts right what interrupted work left behind.
 * @throws REPO_LOCKED, REPO_UNINITIALISED, UNSUPPORTED_FORMAT, REPO_CORRUPT, CAPABILITY_REQUIRED, KEY_REQUIRED, KEY_WRONG
 */
export async function openWriter(
  path: string,
  options: OpenWriterOptions,
): Promise<StoreWriter & { readonly reconciled: ReconcileReport }> {
  const { layout, repositoryId } = await openLayout(path, options.key ?? null);
  const codec = chooseCodec(options.codec);
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const lock = await lockRepository(layout, {
    purpose: options.purpose,
    lockWaitMs: options.lockWaitMs,
    clock: options.clock,
    ...signal,
  });
  try {
    await removeFormer(layout, options.clock);
    await makeOwnDirectories(layout);
    await tidyLeases(layout, options.clock);
    const { catalog, report } = await reconcile(layout, repositoryId, signal);
    const { verifyWrites, clock } = options;
    const head = await HeadKeeper.open(layout, repositoryId, options.memory ?? null);
    const parts = { layout, repositoryId, catalog, lock, head, clock, codec, verifyWrites };
    return new RepositoryWriter({ ...parts, reconciled: report });
  } catch (error) {
    lock.release();
    throw error;
  }
}
