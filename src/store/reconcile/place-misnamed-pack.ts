import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, renameDurably } from '../../files/durable.ts';
import { systemCode } from '../../kernel/errors.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { soundOnly } from '../catalog/load-packs.ts';
import { NO_DAMAGE, readKnownDamage } from '../damage/known-damage.ts';
import { PACK_BYTES_MAX } from '../format/bounds.ts';
import { type Layout, packDirectory, packPath } from '../layout.ts';
import { packIndexOf } from '../packs/pack-index.ts';
import { packOwner } from '../packs/pack-owner.ts';
import { setAside } from '../set-aside.ts';

/**
 * A pack that stands under the name of another gets its own; where two stand in each other's place, both do.
 * Nothing is overwritten. False where it is not the one that some other name is of.
 */
export async function placeMisnamedPack(
  catalog: Catalog,
  layout: Layout,
  repositoryId: string,
  name: string,
): Promise<boolean> {
  const found = await intactPack(layout, repositoryId, packPath(layout, name));
  if (found === null || found.name === name) return false;
  const standing = await hashOf(packPath(layout, found.name));
  // Damaged bytes hash to some name as well, but to none that was ever given.
  if (standing === null) return false;
  const aside = await setAside(layout, packPath(layout, name));
  // It was there twice.
  if (standing === found.name) return true;
  if (standing === name) {
    await renameDurably(packPath(layout, found.name), packPath(layout, name));
    const other = await intactPack(layout, repositoryId, packPath(layout, name));
    if (other !== null) {
      catalog.dropPack(found.name, other.entries);
      adopt(catalog, layout, other);
    }
  } else {
    await setAside(layout, packPath(layout, found.name));
  }
  await makeDirectory(packDirectory(layout, found.name));
  await renameDurably(aside, packPath(layout, found.name));
  adopt(catalog, layout, found);
  return true;
}

/**
 * Packs that were set aside while they were moved, and are intact: back to where they belong, where nothing intact
 * stands there. Returns their names. Only under the writer's lock.
 */
export async function takeBackPacks(
  layout: Layout,
  repositoryId: string,
  isSound: (pack: IntactPack) => Promise<boolean>,
): Promise<string[]> {
  const taken: string[] = [];
  for (const file of await readdir(layout.setAside)) {
    if (!/^[0-9a-f]{64}\.pack\.[0-9a-f]{8}$/.test(file)) continue;
    const path = join(layout.setAside, file);
    const found = await intactPack(layout, repositoryId, path);
    if (found === null) continue;
    const home = packPath(layout, found.name);
    const standing = await hashOf(home);
    if (standing === found.name || !(await isSound(found))) continue;
    if (standing !== null) await setAside(layout, home);
    await makeDirectory(packDirectory(layout, found.name));
    await renameDurably(path, home);
    taken.push(found.name);
  }
  return taken;
}

export type IntactPack = NonNullable<Awaited<ReturnType<typeof intactPack>>>;

/** A pack whose index is sound, by the hash that its name should be. */
async function intactPack(layout: Layout, repositoryId: string, path: string) {
  if ((await stat(path)).size > PACK_BYTES_MAX) return null;
  const pack = await readFile(path);
  const entries = packIndexOf(packOwner(layout, repositoryId), pack);
  if (entries === null) return null;
  const name = createHash('sha256').update(pack).digest('hex');
  return { name, bytes: pack.length, entries, pack };
}

function adopt(catalog: Catalog, layout: Layout, { name, bytes, entries }: IntactPack): void {
  const { records } = readKnownDamage(layout) ?? NO_DAMAGE;
  catalog.addPack(name, bytes, soundOnly(entries, records.get(name)));
}

/** Null where there is no such file. */
async function hashOf(path: string): Promise<string | null> {
  try {
    if ((await stat(path)).size > PACK_BYTES_MAX) return '';
    return createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}
