import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeDurably } from '../../files/durable.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import type { KeySlot } from '../encryption/key-slot.ts';
import { readKeySlots, slotBytes, writeKeySlot } from '../encryption/key-slot-files.ts';
import { type Layout, manifestPath, notesPath, snapshotIdOf } from '../layout.ts';
import { EMPTY_NOTES } from '../manifests/manifest.ts';
import { manifestFrom, readManifestFile } from '../manifests/manifest-file.ts';
import { readNotesFile, writeNotesFile } from '../manifests/notes-file.ts';
import { listSnapshotIds } from '../manifests/snapshot-list.ts';
import { publishFile } from '../publish-file.ts';
import { setAside } from '../set-aside.ts';

/** Manifests, notes and key slots that cannot be read: which of them, and what is done about it. */
export interface DocumentDamage {
  /** With the bytes that hash to their name again. */
  readonly mendable: ReadonlyMap<string, Buffer>;
  /** Those of them that stand in each other's place. */
  readonly exchanged: ReadonlySet<string>;
  /** Nothing says any more what these snapshots held. */
  readonly lostManifests: readonly string[];
  readonly notes: readonly string[];
  /** Names of files. */
  readonly keySlots: readonly string[];
  /** What is in those of them that only stand under the name of another. */
  readonly misnamedSlots: readonly KeySlot[];
}

/** Longer manifests are not tried with every one of their bits the other way round. */
const MENDED_BYTES_MAX = 32 * 1024;
const EXCHANGED_MAX = 100;

/** Changes nothing. */
export async function findDocumentDamage(
  layout: Layout,
  repositoryId: string,
): Promise<DocumentDamage> {
  const mendable = new Map<string, Buffer>();
  const lostManifests: string[] = [];
  const exchanged = new Set<string>();
  const unreadable = new Map<string, Buffer>();
  for (const id of listSnapshotIds(layout)) {
    if (await isReadable(() => readManifestFile(layout, id))) continue;
    unreadable.set(id, await readFile(manifestPath(layout, id)));
  }
  for (const [id, bytes] of unreadable) {
    // Two may stand in each other's place.
    const other = [...unreadable.values()]
      .slice(0, EXCHANGED_MAX)
      .find((each) => manifestFrom(layout, id, each) !== null);
    if (other !== undefined) exchanged.add(id);
    const mended = other ?? mend(layout, id, bytes);
    if (mended === null) lostManifests.push(id);
    else mendable.set(id, mended);
  }
  const notes: string[] = [];
  for (const file of await readdir(layout.notes).catch(() => [])) {
    const id = snapshotIdOf(file);
    if (id !== null && !(await isReadable(() => readNotesFile(layout, id)))) notes.push(id);
  }
  const { unreadable: keySlots, misnamed: misnamedSlots } =
    layout.keys === null
      ? { unreadable: [], misnamed: [] }
      : await readKeySlots(layout, repositoryId);
  return { mendable, exchanged, lostManifests, notes, keySlots, misnamedSlots };
}

/** Only under the writer's lock. What is replaced or given up is moved to `set-aside/` first. */
export async function repairDocuments(layout: Layout, damage: DocumentDamage): Promise<void> {
  for (const id of damage.exchanged) await setAside(layout, manifestPath(layout, id));
  for (const [id, bytes] of damage.mendable) {
    // Over the damaged one: nothing is in that which is not in what hashes to its name.
    await publishFile(layout, manifestPath(layout, id), bytes);
  }
  for (const id of damage.lostManifests) await setAside(layout, manifestPath(layout, id));
  const lost = new Set(damage.lostManifests);
  for (const id of damage.notes) {
    await setAside(layout, notesPath(layout, id));
    // Whether it was pinned nobody knows: so that no policy removes it, it is.
    if (!lost.has(id)) await writeNotesFile(layout, id, { ...EMPTY_NOTES, pinned: true });
  }
  await repairKeySlots(layout, damage);
}

/** At every moment there is a file with each slot that can be read: it opens the repository under any name. */
async function repairKeySlots(
  layout: Layout,
  { keySlots, misnamedSlots }: DocumentDamage,
): Promise<void> {
  const copies = misnamedSlots.map(({ id }) => join(layout.keySlots, `${id}.copy.json`));
  for (const [index, slot] of misnamedSlots.entries()) {
    await publishFile(layout, copies[index]!, slotBytes(slot));
  }
  for (const file of keySlots) {
    const path = join(layout.keySlots, file);
    if (!copies.includes(path)) await setAside(layout, path);
  }
  for (const slot of misnamedSlots) await writeKeySlot(layout, slot);
  for (const copy of copies) await removeDurably(copy);
}

/** One bit that tipped over is found by trying all of them: the name says which is right. */
function mend(layout: Layout, id: string, bytes: Buffer): Buffer | null {
  if (bytes.length > MENDED_BYTES_MAX) return null;
  const tried = Buffer.from(bytes);
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const at = bit >> 3;
    tried[at]! ^= 1 << (bit & 7);
    if (manifestFrom(layout, id, tried) !== null) return tried;
    tried[at] = bytes[at]!;
  }
  return null;
}

async function isReadable(read: () => unknown): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (error) {
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}
