import type { ObjectKind } from '../format/record.ts';

/** Tables and rows of `catalog.db`. */

/** Where an object's record stands. */
export interface Location {
  readonly pack: string;
  readonly offset: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly base: string | null;
}

export interface PackRow {
  readonly name: string;
  readonly bytes: number;
}

export interface ObjectCounts {
  readonly packs: number;
  readonly packBytes: number;
  readonly chunks: number;
  readonly deltaChunks: number;
  readonly uniqueBytes: number;
}

export const CATALOG_SCHEMA = 1;
/** SQLite's name for a private database that begins in memory, spills to disk, and goes with its connection. */
export const PRIVATE = '';
export const KIND_NUMBERS: Record<ObjectKind, number> = { chunk: 1, node: 2, tree: 3 };

export const SCHEMA = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE packs (number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, bytes INTEGER NOT NULL);
  CREATE TABLE objects (
    id BLOB PRIMARY KEY, pack INTEGER NOT NULL, offset INTEGER NOT NULL, stored INTEGER NOT NULL,
    plain INTEGER NOT NULL, kind INTEGER NOT NULL, base BLOB
  ) WITHOUT ROWID;
  CREATE TABLE snapshots (id BLOB PRIMARY KEY, summary TEXT NOT NULL) WITHOUT ROWID;
`;

export interface ObjectRow {
  readonly name: Buffer;
  readonly offset: number;
  readonly stored: number;
  readonly plain: number;
  readonly base: Buffer | null;
}

export function locationOf(row: ObjectRow): Location {
  return {
    pack: row.name.toString('hex'),
    offset: row.offset,
    storedBytes: row.stored,
    plainBytes: row.plain,
    base: row.base === null ? null : row.base.toString('hex'),
  };
}
