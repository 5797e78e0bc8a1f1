import type { ArchiveFormat } from './archive-entry.ts';
import type { ArchiveFile } from './archive-file.ts';
import { unsupported } from './archive-refusal.ts';
import { hasTarChecksum, TAR_BLOCK_BYTES } from './tar-header.ts';

const HINT = 'Archives may be tar, tar.gz, tar.zst or zip.';

/** What others begin with, so that the error can name them. */
const OTHERS: readonly { readonly start: string; readonly name: string }[] = [
  { start: '425a68', name: 'bzip2' },
  { start: 'fd377a585a00', name: 'xz' },
  { start: '377abcaf271c', name: '7z' },
  { start: '04224d18', name: 'lz4' },
  { start: '526172211a07', name: 'rar' },
  { start: '53514c69746520666f726d6174203300', name: 'an SQLite database' },
];

/** The first block of a tar archive, or the first of the two that an empty one consists of. */
export function isTarStart(block: Buffer): boolean {
  if (block.length < TAR_BLOCK_BYTES) return false;
  return hasTarChecksum(block) || block.every((byte) => byte === 0);
}

/** What a file is by its first bytes; its name does not matter. @throws UNSUPPORTED_FORMAT */
export async function detectFormat(file: ArchiveFile): Promise<ArchiveFormat> {
  const start = await file.portion(0, Math.min(file.bytes, TAR_BLOCK_BYTES));
  const hex = start.toString('hex', 0, 16);
  if (hex.startsWith('1f8b')) return 'tar.gz';
  if (hex.startsWith('28b52ffd') || /^5.2a4d18/.test(hex)) return 'tar.zst';
  if (hex.startsWith('504b0304') || hex.startsWith('504b0506')) return 'zip';
  if (isTarStart(start)) return 'tar';
  const other = OTHERS.find((known) => hex.startsWith(known.start));
  const state = other === undefined ? 'it is no archive' : `it is ${other.name}`;
  throw unsupported(file.path, state, HINT);
}
