import { decodePage } from '../../sqlite/format/page.ts';
import { openPageSource } from '../../sqlite/format/page-source.ts';
import type { ManifestDatabase } from '../../store/manifests/manifest.ts';
import { repairHeader } from './first-page.ts';
import { flattenCopy } from './flatten.ts';
import { OverlayPages } from './overlay-pages.ts';

/**
 * Gives a private copy of a family that SQLite cannot open a page 1 that it can: what is left of its own, the rest
 * from the snapshot. Everything else stays damaged: it is there to be read, as far as that goes.
 * @param image of the snapshot; it is only read
 */
export async function makeReadable(
  copy: string,
  image: string,
  known: ManifestDatabase,
): Promise<void> {
  const pageCount = await flattenCopy(copy, known);
  const { pageBytes, encoding, autoVacuum } = known;
  const snapshot = openPageSource(image, { facts: { pageBytes } });
  const { reservedBytes } = snapshot;
  const facts = { pageBytes, encoding, autoVacuum, reservedBytes, pageCount };
  const source = openPageSource(copy, { facts });
  try {
    const pages = new OverlayPages(source);
    const first = snapshot.read(1)!;
    pages.replace(1, repairHeader(pages.read(1)!, first, pageCount).page);
    const decoded = decodePage(pages.read(1)!, 1, pages);
    if (!decoded.ok || !decoded.kind.startsWith('table')) pages.replaceTree(1, first);
    pages.save(copy);
  } finally {
    source.close();
    snapshot.close();
  }
}
