import { HEADER_BYTES } from '../header.ts';
import { type Decoded, faultAt } from './decoded.ts';
import type { PageSource } from './page-source.ts';
import { mayBelongToTree } from './pages-of-trees.ts';

export interface Freelist {
  /** Free pages that list other free pages, in order. */
  readonly trunks: readonly number[];
  readonly leaves: readonly number[];
}

const TRUNK_OFFSET = 32;
const COUNT_OFFSET = 36;

/**
 * The free pages of a database (https://www.sqlite.org/fileformat2.html#the_freelist). It is sound as a whole or not
 * at all: every page exists, none comes twice, and there are as many as page 1 states.
 */
export function readFreelist(source: PageSource): Decoded<Freelist> {
  const first = source.read(1);
  if (first === null || first.length < HEADER_BYTES) return faultAt(0, 'page 1 cannot be read');
  const count = first.readUInt32BE(COUNT_OFFSET);
  const trunks: number[] = [];
  const leaves: number[] = [];
  const seen = new Set<number>();
  let trunk = first.readUInt32BE(TRUNK_OFFSET);
  while (trunk !== 0) {
    const fault = take(source, trunk, seen);
    if (fault !== null) return faultAt(TRUNK_OFFSET, fault);
    const bytes = source.read(trunk);
    if (bytes === null || bytes.length < source.usableBytes) {
      return faultAt(TRUNK_OFFSET, `freelist trunk ${trunk} cannot be read`);
    }
    trunks.push(trunk);
    const leafCount = bytes.readUInt32BE(4);
    if (leafCount > source.usableBytes / 4 - 2) {
      return faultAt(4, `freelist trunk ${trunk} claims ${leafCount} pages`);
    }
    for (let index = 0; index < leafCount; index++) {
      const leaf = bytes.readUInt32BE(8 + index * 4);
      const leafFault = take(source, leaf, seen);
      if (leafFault !== null) return faultAt(8 + index * 4, leafFault);
      leaves.push(leaf);
    }
    trunk = bytes.readUInt32BE(0);
  }
  if (seen.size !== count) {
    return faultAt(COUNT_OFFSET, `the freelist has ${seen.size} pages, page 1 states ${count}`);
  }
  return { ok: true, trunks, leaves };
}

function take(source: PageSource, page: number, seen: Set<number>): string | null {
  if (!mayBelongToTree(source, page)) return `free page ${page} does not exist`;
  if (seen.has(page)) return `free page ${page} comes twice`;
  seen.add(page);
  return null;
}
