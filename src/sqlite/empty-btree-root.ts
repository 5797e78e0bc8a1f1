import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { cannot } from '../kernel/errors.ts';
import { HEADER_BYTES, parseHeader } from './header.ts';

/**
 * Edits of a private copy of a database, below SQL: a b-tree that cannot be read cannot be dropped or rebuilt by
 * SQL either, for SQLite walks it first. Never on a file that anything has open, nor on one with a WAL or journal.
 */

export type TreeKind = 'index' | 'table';

/** First byte of a leaf page (SQLite file format §1.6). */
const LEAF_TYPE: Readonly<Record<TreeKind, number>> = { index: 0x0a, table: 0x0d };
const LEAF_HEADER_BYTES = 8;
const CONTENT_START_OFFSET = 5;
const FREELIST_OFFSET = 32;
const FREELIST_BYTES = 8;

function readHeader(handle: number, path: string): { pageBytes: number; reservedBytes: number } {
  const bytes = Buffer.alloc(HEADER_BYTES);
  readSync(handle, bytes, 0, HEADER_BYTES, 0);
  const header = parseHeader(bytes);
  if (header !== null) return header;
  throw cannot('SOURCE_CORRUPT', 'edit database', path, 'it has no database header');
}

function editCopy(path: string, edit: (handle: number) => void): void {
  const handle = openSync(path, 'r+');
  try {
    edit(handle);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/**
 * Overwrites the root pages of b-trees with empty leaves. The pages below them are left to nobody ("never used")
 * until VACUUM. WITHOUT ROWID tables are trees of kind `index`.
 * @throws SOURCE_CORRUPT when the file has no readable header
 */
export function emptyBtreeRoots(
  path: string,
  roots: readonly { readonly rootPage: number; readonly kind: TreeKind }[],
): void {
  editCopy(path, (handle) => {
    const { pageBytes, reservedBytes } = readHeader(handle, path);
    for (const { rootPage, kind } of roots) {
      // Page 1 is the schema and holds the file header: it is not a tree that could be rebuilt.
      if (rootPage < 2) throw cannot('SOURCE_CORRUPT', 'empty b-tree', path, `root ${rootPage}`);
      const leaf = Buffer.alloc(LEAF_HEADER_BYTES);
      leaf[0] = LEAF_TYPE[kind];
      // 65536 does not fit in two bytes and is written as 0.
      leaf.writeUInt16BE((pageBytes - reservedBytes) & 0xffff, CONTENT_START_OFFSET);
      writeSync(handle, leaf, 0, leaf.length, (rootPage - 1) * pageBytes);
    }
  });
}

/** Forgets the list of free pages; they too are left to nobody until VACUUM. */
export function forgetFreelist(path: string): void {
  editCopy(path, (handle) => {
    readHeader(handle, path);
    writeSync(handle, Buffer.alloc(FREELIST_BYTES), 0, FREELIST_BYTES, FREELIST_OFFSET);
  });
}
