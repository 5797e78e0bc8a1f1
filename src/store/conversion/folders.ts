import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DATA_FOLDER } from '../format/descriptor.ts';
import type { Layout } from '../layout.ts';

/** The folders of data inside a repository, besides the one in use (docs/format.md, Conversion). */

/** What a repository keeps at its top while it has no folder of data. */
export const DATA_NAMES = [
  'packs',
  'snapshots',
  'notes',
  'removed',
  'keys',
  'tmp',
  'set-aside',
  'catalog.db',
  'catalog.db-wal',
  'catalog.db-shm',
  'catalog.db-journal',
  'head.json',
  'damaged.json',
] as const;

/**
 * Stands beside data, from just before others take their place. Without it nothing is ever removed: a description
 * that somebody put back, of before a conversion, makes the data in use look like former ones.
 */
export const SUPERSEDED = 'superseded.json';

export const isSuperseded = (directory: string): boolean => existsSync(join(directory, SUPERSEDED));

/** What a folder of data has only as long as it is being filled, as a repository of its own. */
export const OWN_DESCRIPTION = [
  'lock.db',
  'lock.db-journal',
  'lock.db.holder',
  'leases',
  'holdfast.json',
] as const;

export const descriptorIn = (folder: string): string => join(folder, 'holdfast.json');

/** Paths of the folders of data that are not in use, by whether a conversion is filling them. */
export async function otherFolders(
  layout: Layout,
): Promise<{ filling: string[]; former: string[] }> {
  const paths = (await readdir(layout.root))
    .filter((name) => DATA_FOLDER.test(name))
    .map((name) => join(layout.root, name))
    .filter((path) => path !== layout.data);
  const former = paths.filter(isSuperseded);
  const filling = paths.filter((path) => !former.includes(path) && existsSync(descriptorIn(path)));
  return { filling, former };
}
