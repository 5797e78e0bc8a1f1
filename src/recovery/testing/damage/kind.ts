import { PageImage } from './page-image.ts';
import type { PageFacts, PageMap } from './page-map.ts';
import type { Random } from './random.ts';
import type { Family, World } from './world.ts';

/** What a kind of damage may use; it must change none of it. */
export type Scene = Pick<World, 'shape' | 'before' | 'after' | 'wal' | 'foreignWal'> & {
  readonly map: PageMap;
  readonly random: Random;
};

export interface DamagedFamily {
  readonly family: Family;
  /** Pages whose last content is nowhere in the family. */
  readonly lostPages: ReadonlySet<number>;
}

export interface Kind {
  readonly name: string;
  /** Means nothing where nothing was written since the snapshot. */
  readonly needsWrites: boolean;
  /** Rows at most whose bytes change in a way that nothing can tell from rows that were written so. */
  readonly altersAtMost: number;
  /** A function of the scene alone; null where the database has no place for it. */
  damage(scene: Scene): DamagedFamily | null;
}

/** Damage to the one file of a database that was closed properly: `change` edits a copy of it. */
export function inPlace(
  name: string,
  change: (image: PageImage, scene: Scene) => readonly number[] | null,
  altersAtMost = 0,
): Kind {
  return {
    name,
    needsWrites: false,
    altersAtMost,
    damage(scene) {
      const image = scene.after.copy();
      const lost = change(image, scene);
      if (lost === null) return null;
      return {
        family: { main: image.bytes, wal: null, journal: null },
        lostPages: new Set(lost),
      };
    },
  };
}

/** Damage that makes the file longer or shorter. */
export function resized(
  name: string,
  change: (image: PageImage, scene: Scene) => { main: Buffer; lost: readonly number[] },
  altersAtMost = 0,
): Kind {
  return {
    name,
    needsWrites: false,
    altersAtMost,
    damage(scene) {
      const { main, lost } = change(scene.after.copy(), scene);
      return { family: { main, wal: null, journal: null }, lostPages: new Set(lost) };
    },
  };
}

/** What becomes of a WAL, a journal, or a checkpoint. */
export function betweenFiles(
  name: string,
  damage: (scene: Scene & { readonly wal: Buffer }) => DamagedFamily | null,
): Kind {
  return {
    name,
    needsWrites: true,
    altersAtMost: 0,
    damage(scene) {
      const { wal } = scene;
      return wal === null ? null : damage({ ...scene, wal });
    },
  };
}

/** One page of those that `matches` accepts; null when there is none. */
export function pickPage(
  { map, random }: Scene,
  matches: (page: PageFacts) => boolean,
): number | null {
  return random.pick(map.pages.filter(matches))?.page ?? null;
}

/** A page that is overwritten is lost. */
export function overwritePage(
  image: PageImage,
  page: number | null,
  bytes: Buffer | null = null,
): readonly number[] | null {
  if (page === null) return null;
  image.page(page).fill(0);
  bytes?.copy(image.page(page));
  return [page];
}

/** Pages that are not the same in both images, and pages that only the second one has. */
export function changedPages(before: PageImage, after: PageImage): number[] {
  return Array.from({ length: after.pageCount }, (_, index) => index + 1).filter(
    (page) => page > before.pageCount || !before.page(page).equals(after.page(page)),
  );
}

/** The second image's pages, of which the listed ones are as the first has them. */
export function mixed(before: PageImage, after: PageImage, old: readonly number[]): PageImage {
  const image = new PageImage(Buffer.from(after.bytes), after.pageBytes);
  for (const page of old) {
    if (page <= before.pageCount) before.page(page).copy(image.page(page));
    else image.page(page).fill(0);
  }
  return image;
}
