import type { Activity } from '../../kernel/activity.ts';
import { messageOf } from '../../kernel/errors.ts';
import { Catalog } from '../catalog/catalog.ts';
import type { Location } from '../catalog/catalog-schema.ts';
import { decodeRecordHeader, RECORD_HEADER_BYTES } from '../format/record.ts';
import type { Layout } from '../layout.ts';
import type { PackFiles } from '../packs/pack-files.ts';
import type { Findings } from './findings.ts';

const HINT = 'run "holdfast repository rebuild"';
const DIFFERENCES_MAX = 100;

/** What the catalog said before the folder was listed: a running writer adds to the folder first. */
export interface CatalogView {
  readonly catalog: Catalog;
  readonly packs: ReadonlySet<string>;
}

export function openCatalogView(
  layout: Layout,
  repositoryId: string,
  findings: Findings,
): CatalogView | null {
  let catalog: Catalog | null = null;
  try {
    catalog = Catalog.open(layout.catalog, repositoryId, 'read');
    return { catalog, packs: new Set(catalog.packs().map(({ name }) => name)) };
  } catch (error) {
    catalog?.close();
    const message = `it cannot be used (${messageOf(error)}); the next writer rebuilds it`;
    findings.warning('CATALOG_UNUSABLE', message, 'catalog.db');
    return null;
  }
}

/** The catalog says what the packs say. `index` was read from the packs in `names`. */
export async function checkCatalog(
  view: CatalogView,
  names: readonly string[],
  index: Catalog,
  files: PackFiles,
  findings: Findings,
  activity: Activity,
): Promise<void> {
  const present = new Set(names);
  for (const name of view.packs) {
    if (!present.has(name)) findings.error('PACK_MISSING', `pack ${name} is gone`, 'catalog.db');
  }
  for (const name of names) {
    if (view.packs.has(name)) continue;
    const message = `the catalog does not know pack ${name}; the next writer adopts it`;
    findings.warning('PACK_NOT_INDEXED', message, 'catalog.db');
  }
  try {
    await compareObjects(view, index, files, findings, activity);
  } catch (error) {
    activity.signal.throwIfAborted();
    const message = `it cannot be read (${messageOf(error)}); ${HINT}`;
    findings.error('CATALOG_UNUSABLE', message, 'catalog.db');
  }
}

async function compareObjects(
  view: CatalogView,
  index: Catalog,
  files: PackFiles,
  findings: Findings,
  activity: Activity,
): Promise<void> {
  let differences = 0;
  for (const { id, ...location } of view.catalog.objects()) {
    // Rows of a pack written since belong to a running writer, those of missing packs were reported.
    if (!view.packs.has(location.pack)) continue;
    const found = index.find(id);
    if (found !== null && sameLocation(found, location)) continue;
    activity.signal.throwIfAborted();
    // The same object may stand in two packs.
    if (found !== null && (await standsAt(id, location, files))) continue;
    differences += 1;
    if (differences > DIFFERENCES_MAX) return;
    const message = `object ${id} is not where the catalog says (pack ${location.pack}); ${HINT}`;
    findings.error('CATALOG_DIFFERS', message, 'catalog.db');
  }
}

const sameLocation = (left: Location, right: Location): boolean =>
  left.pack === right.pack &&
  left.offset === right.offset &&
  left.storedBytes === right.storedBytes &&
  left.plainBytes === right.plainBytes &&
  left.base === right.base;

async function standsAt(id: string, location: Location, files: PackFiles): Promise<boolean> {
  const header = await files.read(location.pack, location.offset, RECORD_HEADER_BYTES);
  const fields = decodeRecordHeader(header.bytes, 0);
  header.release();
  return (
    fields !== null &&
    fields.id === id &&
    fields.storedBytes === location.storedBytes &&
    fields.plainBytes === location.plainBytes &&
    fields.base === location.base
  );
}
