import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, writeFileDurably } from '../../files/durable.ts';
import { durableStep } from '../../files/durable-steps.ts';
import { freeBytes, requireFreeSpace } from '../../files/free-space.ts';
import type { Activity } from '../../kernel/activity.ts';
import { type Clock, sleep } from '../../kernel/clock.ts';
import { cannot, HoldfastError, messageOf } from '../../kernel/errors.ts';
import type { KeyMaterial, SlotMaterial } from '../encryption/key-material.ts';
import { openLayout } from '../encryption/unlock.ts';
import { describedLayout, readDescriptor } from '../format/read-descriptor.ts';
import { type HeadMark, markOf } from '../head/head.ts';
import { readHead } from '../head/head-file.ts';
import { type Layout, layoutOf } from '../layout.ts';
import { readManifestFile } from '../manifests/manifest-file.ts';
import { listSnapshotIds } from '../manifests/snapshot-list.ts';
import { initRepository, type OpenWriterOptions, openReader, openWriter } from '../repository.ts';
import { lockRepository } from '../repository-lock.ts';
import type { StoreReader, StoreWriter } from '../store.ts';
import { otherFolders, SUPERSEDED } from './folders.ts';
import { removeFormer } from './remove-former.ts';

export interface ConvertOptions
  extends Pick<OpenWriterOptions, 'codec' | 'verifyWrites' | 'lockWaitMs'> {
  readonly clock: Clock;
  /** Opens the repository as it is; null where it is not encrypted. */
  readonly key: KeyMaterial | null;
  /** Opens it afterwards. */
  readonly newKey: SlotMaterial;
  /** How long to wait at the end for those who read what is to be removed. */
  readonly readersWaitMs: number;
}

/** What a conversion takes, before it is begun. */
export interface ConversionPlan {
  /** At most, of room that is free. */
  readonly neededBytes: number;
  readonly freeBytes: number;
  readonly snapshots: number;
  /** An earlier one was interrupted, and is gone on with. */
  readonly resumed: boolean;
}

export interface ConvertSteps<T> {
  /** Writes everything; refuses where it cannot. */
  fill(from: StoreReader, to: StoreWriter): Promise<T>;
  /** @throws where not every byte of it is sound */
  verify(path: string): Promise<void>;
}

export interface Converted<T> {
  readonly filled: T;
  readonly formerId: string;
  readonly repositoryId: string;
  readonly head: HeadMark | null;
  /** False where somebody still reads what was converted: the next writer removes it. */
  readonly formerRemoved: boolean;
}

/** @throws as `openReader` */
export async function planConversion(
  path: string,
  key: KeyMaterial | null,
): Promise<ConversionPlan> {
  const { layout } = await openLayout(path, key);
  const { filling } = await otherFolders(layout);
  const reader = await openReader(path, key);
  try {
    const { packBytes, snapshots } = reader.statistics();
    const free = await freeBytes(path);
    return { neededBytes: packBytes, freeBytes: free, snapshots, resumed: filling.length > 0 };
  } finally {
    reader.close();
  }
}

/**
 * Seals a repository anew in the same place (docs/format.md, Conversion), under a new id and a new master key. Until the
 * new description stands, it is what it was; stopped before, it is gone on with. What it was is removed at the end.
 * @throws NO_SPACE, REPO_LOCKED, KEY_REQUIRED, KEY_WRONG
 */
export async function convertRepository<T>(
  path: string,
  options: ConvertOptions,
  steps: ConvertSteps<T>,
  activity: Activity,
): Promise<Converted<T>> {
  const { clock, key, newKey, lockWaitMs, readersWaitMs } = options;
  await tidy(path, options, activity);
  const before = await openLayout(path, key);
  const lock = await lockRepository(before.layout, {
    purpose: 'convert',
    lockWaitMs,
    clock,
    signal: activity.signal,
  });
  try {
    const folder = await folderToFill(before.layout, newKey, activity);
    if (!folder.resumed) {
      const { neededBytes } = await planConversion(path, key);
      await requireFreeSpace(path, neededBytes, 'convert repository');
    }
    const { repositoryId: formerId } = before;
    await refuseUnreadable(before.layout);
    await initRepository(folder.path, { clock, key: newKey, formerId });
    const filled = await fill(path, folder.path, options, steps, activity);
    await steps.verify(folder.path);
    activity.signal.throwIfAborted();
    activity.setCancellable(false);
    const description = await readDescriptor(layoutOf(folder.path));
    const text = JSON.stringify({ ...description, folder: folder.name }, null, 2);
    const superseded = `${JSON.stringify({ by: folder.name })}\n`;
    await writeFileDurably(join(before.layout.data, SUPERSEDED), superseded);
    // From here on it is the new one.
    await writeFileDurably(before.layout.descriptor, `${text}\n`);
    const { layout, repositoryId } = await openLayout(path, newKey);
    const { head } = await readHead(layout);
    const formerRemoved = await removeWhenRead(layout, clock, readersWaitMs, activity);
    const mark = head === null ? null : markOf(head, repositoryId);
    return { filled, formerId, repositoryId, head: mark, formerRemoved };
  } finally {
    activity.setCancellable(true);
    lock.release();
  }
}

/** A manifest that cannot be read is not listed: it would be left behind unnoticed. */
async function refuseUnreadable(layout: Layout): Promise<void> {
  const damaged: { id: string; reason: string }[] = [];
  for (const id of listSnapshotIds(layout)) {
    await readManifestFile(layout, id).catch((error: unknown) => {
      damaged.push({ id, reason: messageOf(error) });
    });
  }
  refuseDamaged(layout.root, damaged);
}

/** What interrupted work left, so that a reader finds all there is. */
async function tidy(path: string, options: ConvertOptions, activity: Activity): Promise<void> {
  const { codec, verifyWrites, clock, lockWaitMs, key } = options;
  const common = { clock, lockWaitMs, purpose: 'convert', signal: activity.signal };
  await (await openWriter(path, { codec, verifyWrites, key, ...common })).close();
}

async function fill<T>(
  from: string,
  to: string,
  { codec, verifyWrites, clock, key, newKey, lockWaitMs }: ConvertOptions,
  steps: ConvertSteps<T>,
  { signal }: Activity,
): Promise<T> {
  const source = await openReader(from, key);
  try {
    const common = { clock, lockWaitMs, purpose: 'convert', signal };
    const target = await openWriter(to, { codec, verifyWrites, key: newKey, ...common });
    try {
      return await steps.fill(source, target);
    } finally {
      await target.close();
    }
  } finally {
    source.close();
  }
}

/** The one that an interrupted conversion has begun, if the new key opens it; else a new one. */
async function folderToFill(
  layout: Layout,
  newKey: SlotMaterial,
  activity: Activity,
): Promise<{ path: string; name: string; resumed: boolean }> {
  for (const path of (await otherFolders(layout)).filling) {
    const name = path.slice(layout.root.length + 1);
    if (await opens(path, newKey)) return { path, name, resumed: true };
    activity.warn('An earlier conversion was begun with another key, and is begun anew');
    await discard(layout, path);
  }
  const name = `data-${randomBytes(8).toString('hex')}`;
  return { path: join(layout.root, name), name, resumed: false };
}

async function opens(path: string, key: SlotMaterial): Promise<boolean> {
  try {
    await openLayout(path, key);
    return true;
  } catch (error) {
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}

async function discard(layout: Layout, path: string): Promise<void> {
  // Stopped in between, the next writer goes on.
  await writeFileDurably(join(path, SUPERSEDED), '{}\n');
  await durableStep('unlink', path, () => rm(path, { recursive: true, force: true }));
  await syncDirectory(layout.root);
}

/** Gives up what an interrupted conversion has written. Returns how many there were. @throws REPO_LOCKED */
export async function discardConversion(
  path: string,
  { clock, lockWaitMs }: Pick<ConvertOptions, 'clock' | 'lockWaitMs'>,
): Promise<number> {
  const { layout } = await describedLayout(path);
  const lock = await lockRepository(layout, {
    purpose: 'discard conversion',
    lockWaitMs,
    clock,
  });
  try {
    const { filling } = await otherFolders(layout);
    for (const each of filling) await discard(layout, each);
    return filling.length;
  } finally {
    lock.release();
  }
}

const LOOK_MS = 250;

async function removeWhenRead(
  layout: Layout,
  clock: Clock,
  waitMs: number,
  activity: Activity,
): Promise<boolean> {
  const untilMs = clock.monotonicMs() + waitMs;
  activity.progress({ phase: 'remove' });
  while (!(await removeFormer(layout, clock))) {
    if (clock.monotonicMs() >= untilMs) return false;
    activity.progress({ phase: 'wait for readers' });
    await sleep(clock, LOOK_MS);
  }
  return true;
}

/** Told where snapshots cannot be read whole: converting without them would lose them for good. */
export function refuseDamaged(
  path: string,
  damaged: readonly { readonly id: string; readonly reason: string }[],
): void {
  if (damaged.length === 0) return;
  const state = `${damaged.length} snapshots cannot be read whole, the first: ${damaged[0]!.reason}`;
  throw cannot('REPO_CORRUPT', 'convert repository', path, state, {
    hint: 'Nothing was replaced. Remove these snapshots first (holdfast delete), or keep a copy: holdfast repository copy.',
    details: { damaged: damaged.slice(0, 20) },
  });
}
