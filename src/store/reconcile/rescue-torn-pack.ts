import { readFile, stat } from 'node:fs/promises';
import { HoldfastError, systemCode } from '../../kernel/errors.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { ObjectIndex } from '../catalog/object-index.ts';
import { ObjectReader, type StoredRecord } from '../chunks/object-reader.ts';
import { PACK_BYTES_MAX } from '../format/bounds.ts';
import { type Layout, packPath } from '../layout.ts';
import { PackFiles } from '../packs/pack-files.ts';
import { packOwner } from '../packs/pack-owner.ts';
import { recordsOf } from '../packs/pack-records.ts';
import { PackWriter } from '../packs/pack-writer.ts';
import { setAside } from '../set-aside.ts';
import { placeMisnamedPack } from './place-misnamed-pack.ts';

/**
 * Saves the sound records of a damaged pack, which the catalog does not know, in a new pack and moves it to `set-aside/`.
 * Stopped half-way, it starts again: what was saved is in the catalog then.
 */
export async function rescueTornPack(
  catalog: Catalog,
  layout: Layout,
  repositoryId: string,
  name: string,
): Promise<void> {
  if (await placeMisnamedPack(catalog, layout, repositoryId, name)) return;
  const path = packPath(layout, name);
  // Whatever is longer than any pack was never one.
  const isPack = (await stat(path)).size <= PACK_BYTES_MAX;
  const records = isPack ? recordsOf(layout, repositoryId, await readFile(path)) : [];
  const files = new PackFiles(layout);
  const index = ObjectIndex.over(catalog, layout, repositoryId);
  const packs: PackWriter = new PackWriter({
    layout,
    owner: packOwner(layout, repositoryId),
    catalog,
    verifies: () => true,
    verify: (record) => reader.verify(record),
  });
  const reader = new ObjectReader(index, files, layout.keys, {
    pendingRecord: (id) => packs.pendingRecord(id),
    pendingPlain: () => null,
  });
  try {
    // Full records first: deltas are sound only with their base.
    const ordered = [
      ...records.filter(({ fields }) => fields.base === null),
      ...records.filter(({ fields }) => fields.base !== null),
    ];
    for (const record of ordered) {
      if (packs.has(record.fields.id) || !(await isSound(reader, record))) continue;
      await packs.append(record.fields, record.stored);
    }
    await packs.flush();
  } finally {
    files.close();
    index.close();
  }
  // Nothing but the index was damaged: the same records gave the same pack, under the same name.
  if (catalog.packs().some((pack) => pack.name === name)) return;
  await setAside(layout, path);
}

async function isSound(reader: ObjectReader, record: StoredRecord): Promise<boolean> {
  try {
    await reader.decode(record);
    return true;
  } catch (error) {
    if (isDamage(error)) return false;
    throw error;
  }
}

/** Our own refusals, and what decoders throw at broken streams (they have no system error number). */
function isDamage(error: unknown): boolean {
  if (error instanceof HoldfastError) return true;
  const code = systemCode(error);
  return code === undefined || !/^E[A-Z]+$/.test(code);
}
