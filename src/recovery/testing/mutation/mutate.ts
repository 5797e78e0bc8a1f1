import { parseWalHeader, type WalChecksum, walChecksum } from '../../../sqlite/wal.ts';
import type { Random } from '../damage/random.ts';
import type { Ending, FamilyBytes } from './sound-family.ts';

/** Changes bytes as failing disks do, and as a reader that trusts them would like least. */

const ODD_NUMBERS = [0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xfffe, 0xffff];

type Change = (bytes: Buffer, pageBytes: number, random: Random) => Buffer | undefined;

const pageStart = (bytes: Buffer, pageBytes: number, random: Random): number =>
  pageBytes * random.below(Math.max(1, Math.floor(bytes.length / pageBytes)));

const CHANGES: readonly Change[] = [
  function anyBytes(bytes, _pageBytes, random) {
    for (let count = random.between(1, 12); count > 0; count -= 1) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
  },
  function bits(bytes, _pageBytes, random) {
    for (let count = random.between(1, 64); count > 0; count -= 1) {
      bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
    }
  },
  function headersOfPages(bytes, pageBytes, random) {
    for (let count = random.between(1, 4); count > 0; count -= 1) {
      const at = pageStart(bytes, pageBytes, random) + 2 * random.below(24);
      if (at + 2 <= bytes.length) bytes.writeUInt16BE(random.pick(ODD_NUMBERS)!, at);
    }
  },
  function pointers(bytes, pageBytes, random) {
    for (let count = random.between(1, 6); count > 0; count -= 1) {
      const at = pageStart(bytes, pageBytes, random) + random.below(pageBytes - 4);
      const page = random.below(Math.ceil(bytes.length / pageBytes) + 2);
      if (at + 4 <= bytes.length) bytes.writeUInt32BE(page, at);
    }
  },
  function fileHeader(bytes, _pageBytes, random) {
    for (let count = random.between(1, 5); count > 0; count -= 1) {
      bytes[random.below(Math.min(112, bytes.length))] = random.below(256);
    }
  },
  function zeroes(bytes, pageBytes, random) {
    const start = pageStart(bytes, pageBytes, random);
    const lengthBytes = random.pick([pageBytes, 512, 3 * pageBytes, 16])!;
    bytes.fill(0, start, Math.min(start + lengthBytes, bytes.length));
  },
  function garbage(bytes, pageBytes, random) {
    random.bytes(Math.min(pageBytes, 4096)).copy(bytes, pageStart(bytes, pageBytes, random));
  },
  function copiedPages(bytes, pageBytes, random) {
    const from = pageStart(bytes, pageBytes, random);
    const to = pageStart(bytes, pageBytes, random);
    bytes.copyWithin(to, from, Math.min(from + pageBytes, bytes.length));
  },
  function cut(bytes, _pageBytes, random) {
    return bytes.subarray(0, random.below(bytes.length));
  },
  function grown(bytes, pageBytes, random) {
    const more = random.between(1, 2 * pageBytes);
    return Buffer.concat([bytes, random.pick([Buffer.alloc(more), random.bytes(more % 5000)])!]);
  },
];

const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/** Gives a changed log sums that hold, so that its changes are believed. */
function sumUp(wal: Buffer): void {
  const header = parseWalHeader(wal);
  if (header === null) return;
  const bigEndian = (wal.readUInt32BE(0) & 1) === 1;
  let sums = walChecksum(wal.subarray(0, 24), bigEndian, [0, 0]);
  const write = (at: number, [first, second]: WalChecksum): void => {
    wal.writeUInt32BE(first >>> 0, at);
    wal.writeUInt32BE(second >>> 0, at + 4);
  };
  write(24, sums);
  const frameBytes = FRAME_HEADER_BYTES + header.pageBytes;
  for (let at = WAL_HEADER_BYTES; at + frameBytes <= wal.length; at += frameBytes) {
    wal.copy(wal, at + 8, 16, 24);
    sums = walChecksum(wal.subarray(at, at + 8), bigEndian, sums);
    sums = walChecksum(wal.subarray(at + FRAME_HEADER_BYTES, at + frameBytes), bigEndian, sums);
    write(at + 16, sums);
  }
}

/** A copy of the family with changes in one or more of its files. */
export function mutate(family: FamilyBytes, pageBytes: number, random: Random): FamilyBytes {
  const changed: Record<Ending, Buffer | null> = { ...family };
  const endings = (Object.keys(family) as Ending[]).filter((each) => family[each] !== null);
  for (let count = random.between(1, 3); count > 0; count -= 1) {
    const ending = random.pick(endings)!;
    const bytes = Buffer.from(changed[ending]!);
    if (bytes.length < 64) continue;
    const change = random.pick(CHANGES)!;
    changed[ending] = change(bytes, pageBytes, random) ?? bytes;
    if (ending === '-wal' && random.below(2) === 0 && changed[ending].length > 32) {
      changed[ending] = Buffer.from(changed[ending]);
      sumUp(changed[ending]);
    }
  }
  return changed;
}
