import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, describe, expect, it } from 'vitest';
import { freshDirectory, removeDirectory } from '../testing/directories.ts';
import { openPageSource } from './page-source.ts';
import { readRollbackJournal } from './rollback-journal.ts';

const directory = freshDirectory();
afterAll(() => removeDirectory(directory));

interface Paths {
  readonly main: string;
  readonly journal: string;
}

/** A database amid a transaction that already wrote to the file, its journal, and the database before it. */
function torn(name: string): { before: Buffer; amid: Buffer; journal: Buffer; paths: Paths } {
  const path = join(directory, `${name}.db`);
  const db = new Database(path);
  db.pragma('page_size = 1024');
  db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, body)');
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    INSERT INTO t SELECT i, 'row ' || i || ' before' FROM n`);
  const before = readFileSync(path);
  // A cache of ten pages spills: the journal is synced, and gets a header, several times.
  db.pragma('cache_size = 10');
  db.exec('BEGIN');
  db.exec("UPDATE t SET body = 'after the change, and longer than it was'");
  const copy = join(directory, `${name}-amid.db`);
  copyFileSync(path, copy);
  const amid = readFileSync(copy);
  const kept = join(directory, `${name}-amid.journal`);
  copyFileSync(`${path}-journal`, kept);
  const journal = readFileSync(kept);
  db.exec('ROLLBACK');
  db.close();
  return { before, amid, journal, paths: { main: copy, journal: kept } };
}

const readerOf = (bytes: Buffer) => (offset: number, lengthBytes: number) =>
  bytes.subarray(offset, offset + lengthBytes);

describe('readRollbackJournal', () => {
  it('finds the original of every page that a transaction changed', () => {
    const { before, amid, journal } = torn('restored');
    expect(amid.equals(before)).toBe(false);
    const read = readRollbackJournal(readerOf(journal), journal.length);
    if (!read.ok) throw new Error(read.fault);
    const { pageBytes, originalPages } = read.header;
    expect({ pageBytes, originalPages }).toEqual({
      pageBytes: 1024,
      originalPages: before.length / 1024,
    });
    const restored = Buffer.from(amid.subarray(0, before.length));
    for (const { page, offset } of read.records) {
      journal.copy(restored, (page - 1) * pageBytes, offset, offset + pageBytes);
    }
    expect(restored.equals(before)).toBe(true);
  });

  it('ends before the first record whose checksum is wrong', () => {
    const { journal } = torn('checksum');
    const sound = readRollbackJournal(readerOf(journal), journal.length);
    if (!sound.ok) throw new Error(sound.fault);
    const third = sound.records[2]!;
    journal[third.offset + 1024 - 200]! ^= 1;
    const read = readRollbackJournal(readerOf(journal), journal.length);
    expect(read).toMatchObject({ ok: true, badRecord: third.offset - 4 });
    if (read.ok) expect(read.records).toEqual(sound.records.slice(0, 2));
  });

  it('tells a journal that was finished with from one that is hot', () => {
    const { journal } = torn('finished');
    journal.fill(0, 0, 28);
    expect(readRollbackJournal(readerOf(journal), journal.length)).toMatchObject({
      ok: false,
      offset: 0,
    });
    expect(readRollbackJournal(readerOf(Buffer.alloc(0)), 0)).toMatchObject({ ok: false });
  });

  it('lets a database be read as it was before a transaction that was cut short', () => {
    const { before, paths } = torn('overlaid');
    const source = openPageSource(paths.main, { journal: paths.journal });
    const pages = Array.from({ length: source.pageCount }, (_, index) => source.read(index + 1)!);
    source.close();
    expect(Buffer.concat(pages).equals(before)).toBe(true);
  });
});
