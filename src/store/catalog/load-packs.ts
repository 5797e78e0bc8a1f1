import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../kernel/errors.ts';
import type { PackEntry } from '../format/pack-layout.ts';
import { type Layout, packNameOf } from '../layout.ts';
import type { Catalog } from './catalog.ts';

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
 * Adds the packs that the catalog does not know. Returns those whose index is damaged (`torn`); packs that
 * vanish meanwhile are skipped.
 */
export async function loadPacks(
  catalog: Catalog,
  layout: Layout,
  readIndex: ReadIndex,
  signal?: AbortSignal,
): Promise<{ added: string[]; torn: string[] }> {
  const known = new Set(catalog.packs().map((pack) => pack.name));
  const unknown = (await listPacks(layout)).filter((name) => !known.has(name));
  const added: string[] = [];
  const torn: string[] = [];
  if (unknown.length > 0) catalog.beginLoading();
  for (const name of unknown) {
    signal?.throwIfAborted();
    try {
      const { entries, bytes } = await readIndex(name);
      if (entries === null) {
        torn.push(name);
        continue;
      }
      catalog.addPack(name, bytes, entries);
      added.push(name);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
  if (catalog.isLoading) catalog.endLoading();
  return { added, torn };
}
