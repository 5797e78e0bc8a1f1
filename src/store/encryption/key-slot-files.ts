import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../../files/durable.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { KEY_SLOT_BYTES_MAX, KEY_SLOTS_MAX } from '../format/bounds.ts';
import { keySlotPath, type Layout } from '../layout.ts';
import { publishFile } from '../publish-file.ts';
import { type KeySlot, keySlotSchema } from './key-slot.ts';

/** The files in `keys/`. */

export interface KeySlots {
  /** Oldest first. */
  readonly slots: readonly KeySlot[];
  /** Names of files that are no slot of this repository, damaged ones, or ones under the name of another. */
  readonly unreadable: readonly string[];
  /** What is in those of the last sort: it opens the repository as ever. */
  readonly misnamed: readonly KeySlot[];
}

/** @throws LIMIT_EXCEEDED where there are more than a repository may have */
export async function readKeySlots(layout: Layout, repositoryId: string): Promise<KeySlots> {
  const files = await readdir(layout.keySlots).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  if (files.length > 2 * KEY_SLOTS_MAX) {
    throw cannot('LIMIT_EXCEEDED', 'read keys in', layout.keySlots, `${files.length} files`, {
      hint: 'Move away what does not belong there.',
    });
  }
  const slots: KeySlot[] = [];
  const misnamed: KeySlot[] = [];
  const unreadable: string[] = [];
  // Ids are made of the time, so that names are in the order of creation.
  for (const file of files.sort()) {
    const slot = await readSlot(layout, repositoryId, file);
    if (slot !== null && file === `${slot.id}.json`) {
      slots.push(slot);
      continue;
    }
    unreadable.push(file);
    if (slot !== null) misnamed.push(slot);
  }
  return { slots: slots.slice(0, KEY_SLOTS_MAX), unreadable, misnamed };
}

async function readSlot(
  layout: Layout,
  repositoryId: string,
  file: string,
): Promise<KeySlot | null> {
  const path = join(layout.keySlots, file);
  try {
    if ((await stat(path)).size > KEY_SLOT_BYTES_MAX) return null;
    const parsed = keySlotSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    if (!parsed.success || parsed.data.repository !== repositoryId) return null;
    return parsed.data;
  } catch (error) {
    if (error instanceof SyntaxError || systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** The bytes of its file. */
export const slotBytes = (slot: KeySlot): Buffer =>
  Buffer.from(`${JSON.stringify(slot, null, 2)}\n`);

/** Durable when it returns. */
export async function writeKeySlot(layout: Layout, slot: KeySlot): Promise<void> {
  await makeDirectory(layout.keySlots);
  await publishFile(layout, keySlotPath(layout, slot.id), slotBytes(slot));
}
