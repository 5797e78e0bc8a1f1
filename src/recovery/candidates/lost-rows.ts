import { closeSync, openSync, readSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { systemCode } from '../../kernel/errors.ts';
import { isCorruptionCode } from '../../sqlite/database-check.ts';
import { HEADER_BYTES, parseHeader } from '../../sqlite/header.ts';
import { type Damage, readSchema, type SchemaObject } from '../damage.ts';
import { openCopy } from './settle.ts';

/**
 * Signs that a table lost rows although its tree reads well: an interior page that lost its cells leaves no other
 * trace than pages that belong to nobody and indexes that know more rows than the table. Rebuilding the indexes
 * and dropping the pages would make that loss final.
 */

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function count(database: Database.Database, sql: string): number | null {
  try {
    return database.prepare<[], number>(sql).pluck().get() ?? null;
  } catch {
    // Damaged, or a partial index, which cannot answer for the whole table.
    return null;
  }
}

/** How many more rows readable indexes list than their tables have. */
function surplusEntries(
  database: Database.Database,
  schema: readonly SchemaObject[],
  { indexes }: Damage,
): number {
  const surplus = new Map<string, number>();
  for (const { type, name, table } of schema) {
    if (type !== 'index' || !indexes.has(name)) continue;
    const from = `SELECT count(*) FROM main.${quoted(table)}`;
    const listed = count(database, `${from} INDEXED BY ${quoted(name)}`);
    const rows = count(database, `${from} NOT INDEXED`);
    if (listed === null || rows === null || listed <= rows) continue;
    surplus.set(table, Math.max(surplus.get(table) ?? 0, listed - rows));
  }
  return [...surplus.values()].reduce((sum, each) => sum + each, 0);
}

const ORPHANS_MAX = 200_000;

/** Pages that belong to nobody, as the check's walk over all trees finds them. */
function orphanPages(database: Database.Database): number[] {
  const orphans: number[] = [];
  try {
    const rows = database
      .prepare<[], string>(`PRAGMA main.quick_check(${ORPHANS_MAX})`)
      .pluck()
      .iterate();
    for (const row of rows) {
      for (const [, page] of row.matchAll(/^Page (\d+): never used$/gm)) orphans.push(Number(page));
    }
  } catch (error) {
    // The pages are listed before anything is read that could fail.
    if (!isCorruptionCode(systemCode(error))) throw error;
  }
  return orphans;
}

const TABLE_LEAF = 0x0d;

function readVarint(bytes: Buffer, start: number): { value: number; next: number } {
  let value = 0;
  for (let index = 0; index < 8; index += 1) {
    const byte = bytes[start + index] ?? 0;
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, next: start + index + 1 };
  }
  return { value: value * 256 + (bytes[start + 8] ?? 0), next: start + 9 };
}

/** The serial types of a table leaf's first record (SQLite file format §2.1); empty for anything else. */
function firstRecord(page: Buffer): number[] {
  if (page[0] !== TABLE_LEAF || page.readUInt16BE(3) === 0) return [];
  const payload = readVarint(page, page.readUInt16BE(8));
  const rowid = readVarint(page, payload.next);
  const header = readVarint(page, rowid.next);
  const end = Math.min(rowid.next + header.value, page.length);
  const serials: number[] = [];
  for (let at = header.next; at < end; ) {
    const { value, next } = readVarint(page, at);
    serials.push(value);
    at = next;
  }
  return serials;
}

/** A number and a blob: how full-text tables keep their index. */
function isFullTextRecord(serials: readonly number[]): boolean {
  const [id, block] = serials;
  return id === 0 && block !== undefined && block >= 12 && block % 2 === 0;
}

/**
 * Rows on ownerless leaves of tables that the damage does not explain: leaves of a freelist that was lost are free, and
 * those of a full-text index whose tree is broken are made again.
 */
function rowsOnOrphans(
  path: string,
  orphans: readonly number[],
  { freelist, brokenTrees }: Damage,
): number {
  const handle = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(HEADER_BYTES);
    readSync(handle, bytes, 0, HEADER_BYTES, 0);
    const header = parseHeader(bytes);
    if (header === null || (freelist && orphans.length <= header.freelistPages)) return 0;
    const fullTextBroken = brokenTrees.some(({ type }) => type === 'table');
    const page = Buffer.alloc(header.pageBytes);
    let rows = 0;
    for (const number of orphans) {
      readSync(handle, page, 0, page.length, (number - 1) * page.length);
      const record = firstRecord(page);
      const explained = fullTextBroken && isFullTextRecord(record);
      if (record.length > 0 && !explained) rows += page.readUInt16BE(3);
    }
    return rows;
  } finally {
    closeSync(handle);
  }
}

/** Rows that a private, unopened copy may still hold although its tables do not show them. */
export function countDoubtfulRows(path: string, damage: Damage): number {
  const database = openCopy(path);
  let surplus: number;
  let orphans: number[];
  try {
    surplus = surplusEntries(database, readSchema(database), damage);
    orphans = orphanPages(database);
  } finally {
    database.close();
  }
  // The same rows may show in both ways.
  return Math.max(surplus, rowsOnOrphans(path, orphans, damage));
}
