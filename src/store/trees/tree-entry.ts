import type { Content } from '../chunks/content.ts';

interface EntryBase {
  /** One path component, valid UTF-8, never empty, `.`, `..`, nor holding `/` or NUL. */
  readonly name: string;
  /** Permission bits as recorded (`mode & 0o7777`). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since the epoch, decimal string (exceeds 2^53). */
  readonly mtimeNs: string;
}

export interface FileEntry extends EntryBase {
  readonly type: 'file';
  readonly content: Content;
  /** With size and mtimeNs: what decides that a file is unchanged and need not be read. */
  readonly ctimeNs: string;
  readonly inode: string;
  readonly changedWhileReading?: true;
  /** Line feeds in it; of logs alone, as the source names them. */
  readonly lines?: number;
  /** Something follows the last line feed. */
  readonly endsPartial?: true;
}

export interface DirectoryEntry extends EntryBase {
  readonly type: 'directory';
  /** Id of the tree object of its children. */
  readonly tree: string;
}

export interface SymlinkEntry extends EntryBase {
  readonly type: 'symlink';
  readonly target: string;
}

/** A SQLite database: `content` is the image of its pages at the snapshot's moment, WAL applied. */
export interface DatabaseEntry extends EntryBase {
  readonly type: 'database';
  readonly content: Content;
}

export type TreeEntry = FileEntry | DirectoryEntry | SymlinkEntry | DatabaseEntry;

/** Entries of one tree object are sorted by the bytes of their UTF-8 names, which is the order of code points. */
export function compareNames(left: string, right: string): number {
  const shared = Math.min(left.length, right.length);
  for (let index = 0; index < shared; index += 1) {
    const leftUnit = left.charCodeAt(index);
    const rightUnit = right.charCodeAt(index);
    if (leftUnit !== rightUnit) return codePointRank(leftUnit) - codePointRank(rightUnit);
  }
  return left.length - right.length;
}

/** UTF-16 puts surrogates, which stand for the highest code points, below U+E000 to U+FFFF. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
