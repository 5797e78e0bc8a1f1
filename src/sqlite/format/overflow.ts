import type { Cell } from './cell.ts';
import { type Decoded, faultAt } from './decoded.ts';
import type { PageSource } from './page-source.ts';
import { mayBelongToTree } from './pages-of-trees.ts';

export interface Payload {
  readonly payload: Buffer;
  /** The overflow pages, in order. */
  readonly overflowPages: readonly number[];
}

/**
 * The whole record of a cell. An overflow chain must have exactly the pages that the record needs, each once, and end there.
 * @param bytes the page that the cell is on
 */
export function readPayload(source: PageSource, bytes: Buffer, cell: Cell): Decoded<Payload> {
  const local = bytes.subarray(cell.localOffset, cell.localOffset + cell.localBytes);
  if (cell.overflowPage === null) return { ok: true, payload: local, overflowPages: [] };
  const perPage = source.usableBytes - 4;
  const needed = Math.ceil((cell.payloadBytes - cell.localBytes) / perPage);
  const chainOffset = cell.localOffset + cell.localBytes;
  if (needed > source.pageCount)
    return faultAt(chainOffset, 'a record is larger than the database');
  const pieces = [local];
  const pages = new Set<number>();
  let next = cell.overflowPage;
  let left = cell.payloadBytes - cell.localBytes;
  while (pages.size < needed) {
    if (!mayBelongToTree(source, next)) {
      return faultAt(
        chainOffset,
        `overflow page ${next} does not exist (${pages.size} of ${needed})`,
      );
    }
    if (pages.has(next)) return faultAt(chainOffset, `overflow page ${next} comes twice`);
    const page = source.read(next);
    const take = Math.min(left, perPage);
    if (page === null || page.length < 4 + take) {
      return faultAt(chainOffset, `overflow page ${next} cannot be read`);
    }
    pages.add(next);
    pieces.push(page.subarray(4, 4 + take));
    left -= take;
    next = page.readUInt32BE(0);
  }
  // The last page may lead back into its own chain: then only that pointer was hit. Any other that goes on casts doubt on
  // the page itself, or on those before it.
  if (next !== 0 && !pages.has(next))
    return faultAt(chainOffset, `the overflow chain goes on to page ${next}`);
  return { ok: true, payload: Buffer.concat(pieces), overflowPages: [...pages] };
}
