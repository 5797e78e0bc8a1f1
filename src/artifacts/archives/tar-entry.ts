import type { ArchiveEntry } from './archive-entry.ts';
import { decodeName } from './archive-names.ts';
import { damaged, unsupported } from './archive-refusal.ts';
import type { TarHeader } from './tar-header.ts';

/** The latest time that a Date holds. */
const SECONDS_MAX = 8.64e12;

const REFUSED_TYPES: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '3': 'a character device',
  '4': 'a block device',
  '6': 'a named pipe',
  D: 'a listing of an incremental backup',
  M: 'part of a file that another volume continues',
  N: 'a long name in a form nobody writes any more',
  S: 'a sparse file',
  V: 'a volume label',
  X: 'a header of old Solaris tar',
};

export const SPARSE_HINT = 'Make it again without --sparse.';

const HINTS: Readonly<Record<string, string>> = {
  '1': 'Make it again with --hard-dereference, so that each name has its content.',
  S: SPARSE_HINT,
};

/** What the headers before an entry say of it. */
export interface TarExtensions {
  readonly records: ReadonlyMap<string, string>;
  /** Of headers that hold for every entry after them. */
  readonly globalRecords: ReadonlyMap<string, string>;
  readonly longName: string | null;
  readonly longLinkName: string | null;
}

/** An entry as its headers describe it, all of them checked. @throws VERIFY_FAILED, UNSUPPORTED_FORMAT, PATH_UNSAFE */
export function describeTarEntry(
  header: TarHeader,
  { records, globalRecords, longName, longLinkName }: TarExtensions,
  archive: string,
  content: () => AsyncIterable<Uint8Array>,
): ArchiveEntry {
  const name = records.get('path') || (longName ?? decodeName(header.name));
  const type = typeOf(header, name, archive);
  const bytes = bytesOf(header, records.get('size'), archive);
  const mtime = records.get('mtime') || globalRecords.get('mtime');
  const shared = {
    path: name,
    type,
    mode: header.mode & 0o777,
    modifiedMs: modifiedMsOf(header, mtime, archive),
  };
  if (type !== 'file' && bytes > 0) {
    throw damaged(archive, `the ${type} "${name}" has a content`);
  }
  if (type === 'directory') return { ...shared, bytes: 0 };
  if (type === 'symlink') {
    const linkTarget = records.get('linkpath') || (longLinkName ?? decodeName(header.linkName));
    return { ...shared, bytes: 0, linkTarget };
  }
  return { ...shared, bytes, content };
}

function typeOf(header: TarHeader, name: string, archive: string): ArchiveEntry['type'] {
  // Before there were types, a slash at the end of its name told a directory.
  if (header.type === '0') return name.endsWith('/') ? 'directory' : 'file';
  if (header.type === '7') return 'file';
  if (header.type === '5') return 'directory';
  if (header.type === '2') return 'symlink';
  const what = REFUSED_TYPES[header.type] ?? `an entry of type "${header.type}"`;
  const hint = HINTS[header.type] ?? 'Only files, directories and symbolic links are taken.';
  throw unsupported(archive, `"${name}" is ${what}`, hint);
}

function bytesOf(header: TarHeader, size: string | undefined, archive: string): number {
  if (size === undefined || size === '') return header.bytes;
  const bytes = /^\d+$/.test(size) ? Number(size) : Number.NaN;
  if (!Number.isSafeInteger(bytes)) throw damaged(archive, 'a pax header has no valid size');
  return bytes;
}

function modifiedMsOf(header: TarHeader, mtime: string | undefined, archive: string): number {
  const parts = /^(-?)(\d+)(?:\.(\d*))?$/.exec(mtime ?? String(header.modifiedSeconds));
  const seconds = Number(parts?.[2] ?? Number.NaN);
  if (parts === null || seconds > SECONDS_MAX) {
    throw damaged(archive, 'a header has no valid time');
  }
  // Finer digits than those of microseconds are cut off, as where a file's own time is read.
  const micros = seconds * 1e6 + Number((parts[3] ?? '').padEnd(6, '0').slice(0, 6));
  return (parts[1] === '-' ? -micros : micros) / 1000;
}
