import { existsSync } from 'node:fs';
import { removeDurably } from '../../files/durable.ts';
import { Catalog } from '../catalog/catalog.ts';
import type { Layout } from '../layout.ts';
import { setAside } from '../set-aside.ts';

/** For a writer: the catalog as it stands, or a new, empty one where it is missing or unusable. */
export async function openCatalog(
  layout: Layout,
  repositoryId: string,
): Promise<{ catalog: Catalog; created: boolean }> {
  if (existsSync(layout.catalog)) {
    try {
      return { catalog: Catalog.open(layout.catalog, repositoryId, 'write'), created: false };
    } catch {
      // Whatever is wrong with it: everything in it can be read again from packs and manifests.
    }
  }
  return { catalog: await replaceCatalog(layout, repositoryId), created: true };
}

/** Moves the catalog out of the way and creates an empty one. No connection to the old one may be open here. */
export async function replaceCatalog(layout: Layout, repositoryId: string): Promise<Catalog> {
  await setAsideCatalog(layout);
  return Catalog.create(layout.catalog, repositoryId);
}

/** Moves the catalog out of the way. No connection to it may be open here. */
export async function setAsideCatalog(layout: Layout): Promise<void> {
  // A write-ahead log left beside a new catalog would be taken for its own.
  for (const suffix of ['-wal', '-shm', '-journal']) {
    await removeDurably(`${layout.catalog}${suffix}`);
  }
  if (existsSync(layout.catalog)) await setAside(layout, layout.catalog);
}
