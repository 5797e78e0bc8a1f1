import { inPlace, type Kind, overwritePage, resized, type Scene } from './kind.ts';
import type { PageImage } from './page-image.ts';

/** Damage to the file as a whole: its header, its length, blocks of a disk, single bits. */

const BLOCK_BYTES = 65_536;
/** Overflow pages do not say whose they are: one in the place of another is as good as any. */
const ROWS_WITH_OVERFLOW = 8;

const pagesFrom = (image: PageImage, first: number): number[] =>
  Array.from({ length: Math.max(0, image.pageCount - first + 1) }, (_, index) => first + index);

/** Anywhere in the file but in its header. */
function flipBits(image: PageImage, { random }: Scene, count: number): readonly number[] {
  for (let flip = 0; flip < count; flip += 1) {
    const at = random.between(100, image.bytes.length - 1);
    image.bytes[at] = image.bytes[at]! ^ (1 << random.below(8));
  }
  return [];
}

function zeroBlock(image: PageImage, { random }: Scene): readonly number[] {
  const blocks = Math.floor(image.bytes.length / BLOCK_BYTES);
  const start = random.between(1, blocks - 1) * BLOCK_BYTES;
  image.bytes.fill(0, start, start + BLOCK_BYTES);
  const first = start / image.pageBytes + 1;
  return pagesFrom(image, first).slice(0, BLOCK_BYTES / image.pageBytes);
}

/** From two thirds of the file on. */
function cutPoint(image: PageImage, { random }: Scene): number {
  return random.between(Math.ceil((image.pageCount * 2) / 3), image.pageCount - 1);
}

export const fileKinds: readonly Kind[] = [
  inPlace('page 1 zeroed', (image) => overwritePage(image, 1)),
  inPlace('page 1 garbled', (image, { random }) =>
    overwritePage(image, 1, random.bytes(image.pageBytes)),
  ),
  inPlace('header magic overwritten', (image) => {
    image.bytes.fill(0, 0, 16);
    return [];
  }),
  inPlace('header page size wrong', (image, { random, shape }) => {
    const sizes = [512, 1000, 1024, 4096, 8192].filter((size) => size !== shape.pageBytes);
    image.bytes.writeUInt16BE(random.pick(sizes)!, 16);
    return [];
  }),
  inPlace('header counts wrong', (image, { random }) => {
    image.bytes.writeUInt32BE(image.pageCount + random.between(1, 1_000), 28);
    image.bytes.writeUInt32BE(random.between(1, image.pageCount), 32);
    image.bytes.writeUInt32BE(random.between(1, image.pageCount), 36);
    return [];
  }),
  inPlace('header garbled', (image, { random }) => {
    random.bytes(100).copy(image.bytes);
    return [];
  }),
  inPlace('64 KiB zeroed', zeroBlock),
  inPlace('one bit flipped', (image, scene) => flipBits(image, scene, 1), 1),
  inPlace('64 bits flipped', (image, scene) => flipBits(image, scene, 64), 64),
  resized(
    'pages shifted by one',
    (image, { random }) => {
      const at = random.between(2, image.pageCount - 1) * image.pageBytes;
      const gap = Buffer.alloc(image.pageBytes);
      return {
        main: Buffer.concat([image.bytes.subarray(0, at), gap, image.bytes.subarray(at)]),
        lost: [],
      };
    },
    ROWS_WITH_OVERFLOW,
  ),
  resized('cut at a page', (image, scene) => {
    const pages = cutPoint(image, scene);
    const main = image.bytes.subarray(0, pages * image.pageBytes);
    return { main, lost: pagesFrom(image, pages + 1) };
  }),
  resized('cut within a page', (image, scene) => {
    const pages = cutPoint(image, scene);
    const bytes = pages * image.pageBytes + scene.random.between(1, image.pageBytes - 1);
    // Of the page that was cut something may be left.
    return { main: image.bytes.subarray(0, bytes), lost: pagesFrom(image, pages + 2) };
  }),
  resized('garbage at the end', (image, { random }) => ({
    main: Buffer.concat([image.bytes, random.bytes(random.between(1, 3 * image.pageBytes))]),
    lost: [],
  })),
  resized('emptied', (image) => ({ main: Buffer.alloc(0), lost: pagesFrom(image, 1) })),
];
