import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../kernel/errors.ts';
import { NO_DAMAGE, readKnownDamage } from '../damage/known-damage.ts';
import type { PackEntry } from '../format/pack-layout.ts';
import { type Layout, packNameOf } from '../layout.ts';
import type { Catalog } from './catalog.ts';

/** Entries without those of damaged records. */
export function soundOnly(
  entries: readonly PackEntry[],
  damaged: ReadonlySet<string> | undefined,
): readonly PackEntry[] {
  return damaged === undefined ? entries : entries.filter(({ id }) => !damaged.has(id));
}

/** Names of the packs in `packs/`, in order. */
export async function listPacks(layout: Layout): Promise<string[]> {
  const names: string[] = [];
  for (const directory of await readdir(layout.packs)) {
    if (!/^[0-9a-f]{2}$/.test(directory)) continue;
    for (const file of await readdir(join(layout.packs, directory))) {
      const name = packNameOf(file);
      if (name?.startsWith(directory) === true) names.push(name);
    }
  }
  return names.sort();
}

export type ReadIndex = (name: string) => Promise<{ entries: PackEntry[] | null; bytes: number }>;

/**
 * Adds the packs that the catalog does not know, without the records that are known to be damaged. Returns those whose
 * index is damaged (`torn`); packs that vanish meanwhile are skipped. `keepsLoading`: bases of what was added may still
 * come; the caller ends it. `damagedLast`: where nothing better is known a reader tries them too, since a medium may
 * have been at fault only once, and what is read is hashed.
 */
export async function loadPacks(
  catalog: Catalog,
  layout: Layout,
  readIndex: ReadIndex,
  signal?: AbortSignal,
  options: { readonly keepsLoading?: boolean; readonly damagedLast?: boolean } = {},
): Promise<{ added: string[]; torn: string[] }> {
  const known = new Set(catalog.packs().map((pack) => pack.name));
  const unknown = (await listPacks(layout)).filter((name) => !known.has(name));
  const added: string[] = [];
  const torn: string[] = [];
  const withDamaged: { name: string; bytes: number; entries: PackEntry[] }[] = [];
  if (unknown.length > 0) catalog.beginLoading();
  const { records: damaged } = readKnownDamage(layout) ?? NO_DAMAGE;
  for (const name of unknown) {
    signal?.throwIfAborted();
    try {
      const { entries, bytes } = await readIndex(name);
      if (entries === null) {
        torn.push(name);
        continue;
      }
      const sound = soundOnly(entries, damaged.get(name));
      catalog.addPack(name, bytes, sound);
      if (sound.length < entries.length) withDamaged.push({ name, bytes, entries });
      added.push(name);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
  for (const { name, bytes, entries } of options.damagedLast === true ? withDamaged : []) {
    catalog.addPack(name, bytes, entries);
  }
  if (catalog.isLoading && options.keepsLoading !== true) catalog.endLoading();
  return { added, torn };
}
