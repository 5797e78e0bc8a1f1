import { inPlace, type Kind, overwritePage, pickPage, type Scene } from './kind.ts';
import type { PageFacts } from './page-map.ts';
import { TABLE_NAMES } from './truth.ts';

/** Damage to single pages. */

const isRowTable = ({ owner, isIndex }: PageFacts): boolean =>
  !isIndex && TABLE_NAMES.includes(owner);

/** A leaf in the wide sense: a root without children is one. */
const isLeaf = ({ role, hasChildren }: PageFacts): boolean => role !== 'overflow' && !hasChildren;

const of =
  (owner: string, matches: (page: PageFacts) => boolean) =>
  (page: PageFacts): boolean =>
    page.owner === owner && matches(page);

function zeroed(name: string, matches: (page: PageFacts) => boolean): Kind {
  return inPlace(name, (image, scene) => overwritePage(image, pickPage(scene, matches)));
}

function garbled(name: string, matches: (page: PageFacts) => boolean): Kind {
  return inPlace(name, (image, scene) =>
    overwritePage(image, pickPage(scene, matches), scene.random.bytes(image.pageBytes)),
  );
}

/** Where a page's b-tree header starts. */
const headerAt = (page: number): number => (page === 1 ? 100 : 0);

function anyPage({ map, random }: Scene): number {
  return random.pick(map.pages.filter(({ page }) => page > 1))!.page;
}

const twoPages = (scene: Scene): [number, number] => {
  const pages = scene.map.pages.map(({ page }) => page).filter((page) => page > 1);
  return scene.random.sample(pages, 2) as [number, number];
};

export const pageKinds: readonly Kind[] = [
  zeroed('table leaf zeroed', (page) => isRowTable(page) && page.role === 'leaf'),
  zeroed('table interior zeroed', (page) => isRowTable(page) && page.role === 'interior'),
  zeroed('table root zeroed', (page) => isRowTable(page) && page.role === 'root'),
  zeroed(
    'overflow page zeroed',
    of('files', ({ role }) => role === 'overflow'),
  ),
  zeroed('WITHOUT ROWID leaf zeroed', of('settings', isLeaf)),
  zeroed('index leaf zeroed', (page) => page.isIndex && isLeaf(page)),
  zeroed('index root zeroed', (page) => page.isIndex && page.role === 'root'),
  zeroed('full-text leaf zeroed', of('search_data', isLeaf)),
  zeroed(
    'schema leaf zeroed',
    of('sqlite_schema', ({ role }) => role === 'leaf'),
  ),
  garbled('table leaf garbled', (page) => isRowTable(page) && page.role === 'leaf'),
  garbled(
    'UNIQUE index root garbled',
    of('sqlite_autoindex_notes_1', ({ role }) => role === 'root'),
  ),
  inPlace('any page garbled', (image, scene) =>
    overwritePage(image, anyPage(scene), scene.random.bytes(image.pageBytes)),
  ),
  inPlace('freelist trunk zeroed', (image, { map, random }) =>
    overwritePage(image, random.pick(map.freelistTrunks)),
  ),
  inPlace('freelist trunk garbled', (image, { map, random }) =>
    overwritePage(image, random.pick(map.freelistTrunks), random.bytes(image.pageBytes)),
  ),
  inPlace('pointer map zeroed', (image, { shape }) =>
    overwritePage(image, shape.autoVacuum === 'NONE' ? null : 2),
  ),
  inPlace('interior cells halved', (image, scene) => {
    const page = pickPage(scene, (each) => isRowTable(each) && each.hasChildren);
    if (page === null) return null;
    const bytes = image.page(page);
    bytes.writeUInt16BE(bytes.readUInt16BE(headerAt(page) + 3) >> 1, headerAt(page) + 3);
    return [];
  }),
  inPlace('leaf cells halved', (image, scene) => {
    const page = pickPage(scene, (each) => isRowTable(each) && each.role === 'leaf');
    if (page === null) return null;
    const bytes = image.page(page);
    bytes.writeUInt16BE(bytes.readUInt16BE(3) >> 1, 3);
    return [];
  }),
  inPlace('cell pointer scrambled', (image, scene) => {
    const page = pickPage(scene, (each) => isRowTable(each) && each.role === 'leaf');
    if (page === null) return null;
    const bytes = image.page(page);
    const cell = scene.random.below(bytes.readUInt16BE(3));
    bytes.writeUInt16BE(scene.random.below(image.pageBytes), 8 + cell * 2);
    return [];
  }),
  // Overflow pages do not say whose they are.
  inPlace(
    'two pages swapped',
    (image, scene) => {
      const [left, right] = twoPages(scene);
      const kept = Buffer.from(image.page(left));
      image.page(right).copy(image.page(left));
      kept.copy(image.page(right));
      return [];
    },
    2,
  ),
  inPlace(
    'page copied over another',
    (image, scene) => {
      const [from, to] = twoPages(scene);
      image.page(from).copy(image.page(to));
      return [to];
    },
    1,
  ),
  inPlace('several pages zeroed', (image, scene) => {
    const chosen = [
      pickPage(scene, (each) => isRowTable(each) && isLeaf(each)),
      pickPage(scene, (each) => isRowTable(each) && each.hasChildren),
      pickPage(scene, (each) => each.isIndex),
      scene.random.pick(scene.map.freelistTrunks),
    ];
    return chosen.flatMap((page) => overwritePage(image, page) ?? []);
  }),
];
