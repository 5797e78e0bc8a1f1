import { HEADER_BYTES } from '../header.ts';
import { type Decoded, faultAt } from './decoded.ts';

export type PageKind = 'table-leaf' | 'table-interior' | 'index-leaf' | 'index-interior';

const KINDS: Readonly<Record<number, PageKind>> = {
  2: 'index-interior',
  5: 'table-interior',
  10: 'index-leaf',
  13: 'table-leaf',
};

/** What of a database every page and cell depends on. */
export interface PageLayout {
  readonly pageBytes: number;
  /** Page size less the reserved bytes at its end. */
  readonly usableBytes: number;
}

export interface BtreePage {
  readonly kind: PageKind;
  /** Where the b-tree header starts: 100 on page 1, else 0. */
  readonly headerOffset: number;
  /** First byte after the array of cell pointers. */
  readonly cellArrayEnd: number;
  /** Start of every cell in key order, as the page states it: unchecked. */
  readonly cellOffsets: readonly number[];
  /** True when the page claims more cells than it has room for: `cellOffsets` holds what fits. */
  readonly cellsCut: boolean;
  /** Interior pages only. */
  readonly rightChild: number | null;
  readonly firstFreeblock: number;
  readonly contentStart: number;
  readonly fragmentBytes: number;
}

export function isLeaf(kind: PageKind): boolean {
  return kind === 'table-leaf' || kind === 'index-leaf';
}

/**
 * The header and cell pointers of a b-tree page. Lenient: anything with a header of a known kind is decoded; how sound
 * it is, `checkPage` says.
 * @param bytes the page; shorter than a page only where the file ends inside it
 * @param cellCountGiven instead of the number of cells that the page states
 */
export function decodePage(
  bytes: Buffer,
  pageNumber: number,
  layout: PageLayout,
  cellCountGiven?: number,
): Decoded<BtreePage> {
  const headerOffset = pageNumber === 1 ? HEADER_BYTES : 0;
  const end = Math.min(bytes.length, layout.usableBytes);
  if (end < headerOffset + 12) return faultAt(0, 'the page is cut off');
  const kind = KINDS[bytes[headerOffset]!];
  if (kind === undefined) return faultAt(headerOffset, kindFault(bytes, headerOffset));
  const leaf = isLeaf(kind);
  const arrayStart = headerOffset + (leaf ? 8 : 12);
  const stated = cellCountGiven ?? bytes.readUInt16BE(headerOffset + 3);
  const cellCount = Math.min(stated, Math.floor((end - arrayStart) / 2));
  const cellOffsets: number[] = [];
  for (let index = 0; index < cellCount; index++) {
    cellOffsets.push(bytes.readUInt16BE(arrayStart + index * 2));
  }
  return {
    ok: true,
    kind,
    headerOffset,
    cellArrayEnd: arrayStart + cellCount * 2,
    cellOffsets,
    cellsCut: cellCount < stated,
    rightChild: leaf ? null : bytes.readUInt32BE(headerOffset + 8),
    firstFreeblock: bytes.readUInt16BE(headerOffset + 1),
    // 65,536 does not fit in two bytes and is written as 0.
    contentStart: bytes.readUInt16BE(headerOffset + 5) || 65_536,
    fragmentBytes: bytes[headerOffset + 7]!,
  };
}

function kindFault(bytes: Buffer, headerOffset: number): string {
  const rest = bytes.subarray(headerOffset);
  const zeroed = rest[0] === 0 && rest.equals(Buffer.alloc(rest.length));
  return zeroed ? 'the page is all zeros' : `no b-tree page starts with ${rest[0]}`;
}
