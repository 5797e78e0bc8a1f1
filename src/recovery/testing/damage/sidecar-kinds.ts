import { journalOf } from './journal-bytes.ts';
import { betweenFiles, changedPages, type DamagedFamily, type Kind, mixed } from './kind.ts';
import type { PageImage } from './page-image.ts';

/** Damage between the files of a family: a WAL, a journal, a checkpoint. */

const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/** Page numbers of a WAL's frames, in their order. */
function framePages(wal: Buffer, pageBytes: number): number[] {
  const pages: number[] = [];
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  for (let at = WAL_HEADER_BYTES; at + frameBytes <= wal.length; at += frameBytes) {
    pages.push(wal.readUInt32BE(at));
  }
  return pages;
}

/** Pages that have frames, and all of them from the numbered one (from 0) on. */
function onlyFrom(pages: readonly number[], first: number): number[] {
  const kept = new Set(pages.slice(0, first));
  return [...new Set(pages.slice(first))].filter((page) => !kept.has(page));
}

function lostWal(before: PageImage, after: PageImage, wal: Buffer | null): DamagedFamily {
  const family = { main: before.bytes, wal, journal: null };
  return { family, lostPages: new Set(changedPages(before, after)) };
}

export const sidecarKinds: readonly Kind[] = [
  betweenFiles('WAL deleted', ({ before, after }) => lostWal(before, after, null)),
  betweenFiles('WAL garbled', ({ before, after, wal, random }) =>
    lostWal(before, after, random.bytes(wal.length)),
  ),
  betweenFiles('WAL cut in half', ({ before, wal, shape }) => {
    const half = wal.subarray(0, wal.length >> 1);
    const kept = framePages(half, shape.pageBytes).length;
    return {
      family: { main: before.bytes, wal: half, journal: null },
      lostPages: new Set(onlyFrom(framePages(wal, shape.pageBytes), kept)),
    };
  }),
  betweenFiles('WAL frame overwritten', ({ before, wal, shape, random }) => {
    const pages = framePages(wal, shape.pageBytes);
    const frame = random.below(pages.length);
    const broken = Buffer.from(wal);
    const at = WAL_HEADER_BYTES + frame * (FRAME_HEADER_BYTES + shape.pageBytes);
    broken.fill(0xff, at + FRAME_HEADER_BYTES, at + FRAME_HEADER_BYTES + 64);
    // The frames after it are whole, though SQLite does not look at them.
    return {
      family: { main: before.bytes, wal: broken, journal: null },
      lostPages: new Set(
        pages.filter((page) => page === pages[frame]).length === 1 ? [pages[frame]!] : [],
      ),
    };
  }),
  betweenFiles('WAL of an older copy', ({ after, foreignWal }) => ({
    family: { main: after.bytes, wal: foreignWal, journal: null },
    lostPages: new Set(),
  })),
  betweenFiles('leaf zeroed under a WAL', ({ before, wal, map, shape, random }) => {
    const image = before.copy();
    const inFile = map.pages.filter(({ page }) => page <= before.pageCount);
    const leaf = random.pick(
      inFile.filter(({ role, owner }) => role === 'leaf' && owner === 'notes'),
    );
    if (leaf === null) return null;
    image.page(leaf.page).fill(0);
    const inWal = framePages(wal, shape.pageBytes).includes(leaf.page);
    return {
      family: { main: image.bytes, wal, journal: null },
      lostPages: new Set(inWal ? [] : [leaf.page]),
    };
  }),
  betweenFiles(
    'leaf zeroed beside a WAL of an older copy',
    ({ after, foreignWal, map, shape, random }) => {
      const covered = new Set(framePages(foreignWal, shape.pageBytes)).size;
      // Where the WAL has most of the pages, what is there is more of the older copy than of this one.
      if (covered * 2 > after.pageCount) return null;
      const image = after.copy();
      const leaf = random.pick(
        map.pages.filter(({ role, owner }) => role === 'leaf' && owner === 'notes'),
      );
      if (leaf === null) return null;
      image.page(leaf.page).fill(0);
      return {
        family: { main: image.bytes, wal: foreignWal, journal: null },
        lostPages: new Set([leaf.page]),
      };
    },
  ),
  betweenFiles('checkpoint torn, WAL lost', ({ before, after, random }) => {
    const changed = changedPages(before, after);
    const old = random.sample(changed, changed.length >> 1);
    return {
      family: { main: mixed(before, after, old).bytes, wal: null, journal: null },
      lostPages: new Set(old),
    };
  }),
  betweenFiles('checkpoint torn, WAL cut', ({ before, after, wal, shape, random }) => {
    const changed = changedPages(before, after);
    const old = random.sample(changed, changed.length >> 1);
    const half = wal.subarray(0, wal.length >> 1);
    const kept = framePages(half, shape.pageBytes).length;
    const beyond = new Set(onlyFrom(framePages(wal, shape.pageBytes), kept));
    return {
      family: { main: mixed(before, after, old).bytes, wal: half, journal: null },
      lostPages: new Set(old.filter((page) => beyond.has(page))),
    };
  }),
  betweenFiles('stale journal', ({ before, after, random }) => {
    const changed = changedPages(before, after).filter((page) => page <= before.pageCount);
    const pages = random.sample(changed, changed.length >> 1);
    return {
      family: { main: after.bytes, wal: null, journal: journalOf(before, pages) },
      lostPages: new Set(),
    };
  }),
];
