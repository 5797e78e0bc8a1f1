import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, describe, expect, it } from 'vitest';
import { freshDirectory, removeDirectory } from '../testing/directories.ts';
import { readFreelist } from './freelist.ts';
import { openPageSource } from './page-source.ts';
import {
  decodePointerMapEntry,
  isPointerMapPage,
  lockBytePage,
  pointerMapPageOf,
} from './pointer-map.ts';
import { bufferSource } from './testing/buffer-source.ts';

const directory = freshDirectory();
afterAll(() => removeDirectory(directory));

describe('pointer maps', () => {
  it('say of every page what the database makes of it', () => {
    const path = join(directory, 'map.db');
    const db = new Database(path);
    db.pragma('page_size = 512');
    db.pragma('auto_vacuum = 2');
    db.exec(`CREATE TABLE t(body); CREATE TABLE gone(body);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
      INSERT INTO t SELECT zeroblob(1200) FROM n;
      INSERT INTO gone SELECT 'x' FROM t; DROP TABLE gone`);
    const [{ rootpage }] = db.prepare('SELECT rootpage FROM sqlite_schema').all() as any[];
    db.close();
    const source = bufferSource(readFileSync(path));
    const freelist = readFreelist(source);
    if (!freelist.ok) throw new Error(freelist.fault);
    const roles = new Map<string, number[]>();
    for (let page = 3; page <= source.pageCount; page++) {
      if (isPointerMapPage(page, source)) continue;
      const map = source.read(pointerMapPageOf(page, source))!;
      const entry = decodePointerMapEntry(map, page, source);
      if (!entry.ok) throw new Error(entry.fault);
      roles.set(entry.role, [...(roles.get(entry.role) ?? []), page]);
    }
    expect(roles.get('root')).toEqual([rootpage]);
    const free = [...freelist.trunks, ...freelist.leaves].sort((left, right) => left - right);
    expect(free.length).toBeGreaterThan(0);
    expect(roles.get('free')).toEqual(free);
    expect(roles.get('overflow-first')).toHaveLength(400);
    expect(roles.get('overflow')).toHaveLength(400);
    expect(roles.get('btree')?.length).toBeGreaterThan(100);
  });

  it('never lie on the lock-byte page, 1 GiB into the file', () => {
    expect(lockBytePage(65_536)).toBe(16_385);
    expect(lockBytePage(512)).toBe(2_097_153);
    for (const pageBytes of [512, 1024, 4096, 65_536]) {
      for (let usableBytes = pageBytes - 40; usableBytes <= pageBytes; usableBytes++) {
        expect(isPointerMapPage(lockBytePage(pageBytes), { pageBytes, usableBytes })).toBe(false);
      }
    }
  });
});

/** Makes a small database larger than 1 GiB without writing it: all new pages are free, but for the lock byte's. */
function growPastLockByte(path: string, pageBytes: number, pageCount: number): void {
  const handle = openSync(path, 'r+');
  const header = readFileSync(path).subarray(0, 100);
  const first = header.readUInt32BE(28) + 1;
  const free = Array.from({ length: pageCount - first + 1 }, (_, index) => first + index).filter(
    (page) => page !== lockBytePage(pageBytes),
  );
  const perTrunk = pageBytes / 4 - 8;
  const trunks: number[][] = [];
  for (let at = 0; at < free.length; at += perTrunk + 1) {
    trunks.push(free.slice(at, at + perTrunk + 1));
  }
  for (const [index, [trunk, ...leaves]] of trunks.entries()) {
    const bytes = Buffer.alloc(pageBytes);
    bytes.writeUInt32BE(trunks[index + 1]?.[0] ?? 0, 0);
    bytes.writeUInt32BE(leaves.length, 4);
    for (const [position, leaf] of leaves.entries()) bytes.writeUInt32BE(leaf, 8 + position * 4);
    writeSync(handle, bytes, 0, pageBytes, (trunk! - 1) * pageBytes);
  }
  header.writeUInt32BE(pageCount, 28);
  header.writeUInt32BE(trunks[0]![0]!, 32);
  header.writeUInt32BE(free.length, 36);
  writeSync(handle, header, 0, 100, 0);
  ftruncateSync(handle, pageCount * pageBytes);
  closeSync(handle);
}

describe('readFreelist', () => {
  it('counts every page of a database beyond the lock byte, and refuses a list that names its page', () => {
    const path = join(directory, 'large.db');
    const db = new Database(path);
    db.pragma('page_size = 65536');
    db.exec('CREATE TABLE t(body); INSERT INTO t VALUES (zeroblob(200000))');
    const used = Number(db.pragma('page_count', { simple: true }));
    db.close();
    growPastLockByte(path, 65_536, 16_400);
    const grown = new Database(path, { readonly: true });
    expect(grown.pragma('integrity_check', { simple: true })).toBe('ok');
    grown.close();
    const source = openPageSource(path);
    try {
      const freelist = readFreelist(source);
      if (!freelist.ok) throw new Error(freelist.fault);
      const free = new Set([...freelist.trunks, ...freelist.leaves]);
      expect(free.size).toBe(16_400 - used - 1);
      expect(free.has(16_385)).toBe(false);
      const read = (page: number): Buffer | null => {
        const bytes = source.read(page);
        if (page === freelist.trunks[0]) bytes?.writeUInt32BE(16_385, 8);
        return bytes;
      };
      const listed = { ...source, pageCount: source.pageCount, read };
      expect(readFreelist(listed)).toMatchObject({
        ok: false,
        fault: 'free page 16385 does not exist',
      });
    } finally {
      source.close();
    }
  });
});
