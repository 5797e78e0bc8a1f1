import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { beforeRead } from '../../files/bandwidth.ts';
import { removeDurably } from '../../files/durable.ts';
import type { Activity } from '../../kernel/activity.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { ObjectIndex } from '../catalog/object-index.ts';
import { ObjectReader } from '../chunks/object-reader.ts';
import { type PackEntry, storedOf } from '../format/pack-layout.ts';
import { decodeRecordHeader, RECORD_HEADER_BYTES } from '../format/record.ts';
import { type Layout, packPath } from '../layout.ts';
import { PackFiles } from '../packs/pack-files.ts';
import { packIndexOf, readPackIndex } from '../packs/pack-index.ts';
import { packOwner } from '../packs/pack-owner.ts';
import { PackWriter } from '../packs/pack-writer.ts';
import type { LiveObjects, PackUse } from './live-objects.ts';

export interface MoveContext {
  readonly layout: Layout;
  readonly repositoryId: string;
  readonly catalog: Catalog;
  readonly live: LiveObjects;
  readonly activity: Activity;
}

/** Bytes copied before the packs they came from are dropped: what a prune may need for a while. */
const BATCH_BYTES = 256 * 1024 * 1024;

/** docs/format.md, Removal: drops packs in which nothing is needed. Returns how many. */
export async function dropPacks(packs: readonly PackUse[], context: MoveContext): Promise<number> {
  const { layout, repositoryId, live, activity } = context;
  const files = new PackFiles(layout);
  let dropped = 0;
  try {
    for (const { name } of packs) {
      activity.signal.throwIfAborted();
      const { entries } = await readPackIndex(
        packOwner(layout, repositoryId),
        packPath(layout, name),
      );
      const needed = entries?.filter(({ id }) => live.has(id)) ?? [];
      if (entries === null || !(await allElsewhere(needed, name, files, context))) {
        activity.warn(`Pack ${name} is left as it is: its index or the catalog is damaged`);
        continue;
      }
      await dropPack(name, entries, context);
      dropped += 1;
      activity.progress({ filesDone: dropped, totalFiles: packs.length });
    }
  } finally {
    files.close();
  }
  return dropped;
}

async function dropPack(
  name: string,
  entries: readonly PackEntry[],
  { layout, catalog }: MoveContext,
): Promise<void> {
  catalog.dropPack(name, entries);
  await removeDurably(packPath(layout, name));
}

/** Copies what is needed out of packs into new ones, then drops them. Returns how many went. */
export async function rewritePacks(
  packs: readonly PackUse[],
  context: MoveContext,
): Promise<number> {
  let rewritten = 0;
  let batch: PackUse[] = [];
  let bytes = 0;
  for (const [index, pack] of packs.entries()) {
    batch.push(pack);
    bytes += pack.liveBytes;
    if (bytes < BATCH_BYTES && index < packs.length - 1) continue;
    rewritten += await rewriteBatch(batch, context);
    context.activity.progress({ filesDone: index + 1, totalFiles: packs.length });
    batch = [];
    bytes = 0;
  }
  return rewritten;
}

async function rewriteBatch(packs: readonly PackUse[], context: MoveContext): Promise<number> {
  const { layout, repositoryId, catalog, activity } = context;
  const files = new PackFiles(layout);
  const index = ObjectIndex.over(catalog, layout, repositoryId);
  const writer: PackWriter = new PackWriter({
    layout,
    owner: packOwner(layout, repositoryId),
    catalog,
    relocates: true,
    // Copied as they are out of packs whose hashes are right, into packs that are read back: a sample is enough.
    verifies: ({ id }) => id.startsWith('0'),
    verify: (record) => reader.verify(record),
  });
  const reader = new ObjectReader(index, files, layout.keys, {
    pendingRecord: (id) => writer.pendingRecord(id),
    pendingPlain: () => null,
  });
  const copied: { name: string; entries: readonly PackEntry[] }[] = [];
  try {
    for (const { name } of packs) {
      activity.signal.throwIfAborted();
      const entries = await copyPack(name, files, writer, context);
      if (entries !== null) copied.push({ name, entries });
    }
    await writer.flush();
  } finally {
    await writer.idle();
    files.close();
    index.close();
  }
  const written = new Set(writer.sealed);
  const old = copied.filter(({ name }) => !written.has(name));
  for (const { name, entries } of old) await dropPack(name, entries, context);
  return old.length;
}

/** The entries of the pack; null where it is damaged and left as it is. */
async function copyPack(
  name: string,
  files: PackFiles,
  writer: PackWriter,
  { layout, repositoryId, catalog, live, activity }: MoveContext,
): Promise<PackEntry[] | null> {
  await beforeRead((await stat(packPath(layout, name))).size);
  const pack = await readFile(packPath(layout, name));
  const intact = createHash('sha256').update(pack).digest('hex') === name;
  const entries = intact ? packIndexOf(packOwner(layout, repositoryId), pack) : null;
  if (entries === null) {
    activity.warn(`Pack ${name} is left as it is: it is damaged`);
    return null;
  }
  const needed = entries.filter(({ id }) => live.has(id) && writer.pendingRecord(id) === null);
  // Within a pack a base may stand behind its delta only where the writer of it said so: full ones first.
  for (const entry of [
    ...needed.filter(({ base }) => base === null),
    ...needed.filter(({ base }) => base !== null),
  ]) {
    if (catalog.find(entry.id)?.pack !== name && (await standsElsewhere(entry, catalog, files))) {
      continue;
    }
    await writer.append(entry, storedOf(pack, entry));
  }
  return entries;
}

async function allElsewhere(
  entries: readonly PackEntry[],
  name: string,
  files: PackFiles,
  { catalog }: MoveContext,
): Promise<boolean> {
  for (const entry of entries) {
    if (catalog.find(entry.id)?.pack === name) return false;
    if (!(await standsElsewhere(entry, catalog, files))) return false;
  }
  return true;
}

/** Whether the record that the catalog names is really there: the catalog is never trusted over a pack. */
async function standsElsewhere(
  { id }: PackEntry,
  catalog: Catalog,
  files: PackFiles,
): Promise<boolean> {
  const location = catalog.find(id);
  if (location === null) return false;
  const header = await files
    .read(location.pack, location.offset, RECORD_HEADER_BYTES)
    .catch(() => null);
  if (header === null) return false;
  const fields = decodeRecordHeader(header.bytes, 0);
  header.release();
  return fields?.id === id;
}
