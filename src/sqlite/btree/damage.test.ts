import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFreelist } from '../format/freelist.ts';
import { decodePage } from '../format/page.ts';
import { type FilePageSource, openPageSource } from '../format/page-source.ts';
import { freshDirectory, removeDirectory } from '../testing/directories.ts';
import { Claims } from './claims.ts';
import { type OrphanLeaf, orphanLeaves } from './orphan-pages.ts';
import { readSchema } from './schema.ts';
import { createDatabase, USUAL_LAYOUT } from './testing/layout.ts';
import type { LeafEvent, TableRow, TableWalkEvent } from './walk-events.ts';
import { walkIndex } from './walk-index.ts';
import { walkTable } from './walk-table.ts';

const PAGE_BYTES = 512;
const ROWS = 4000;
const directory = freshDirectory();
const sound = join(directory, 'sound.db');
afterAll(() => removeDirectory(directory));

beforeAll(() => {
  const db = createDatabase(sound, { ...USUAL_LAYOUT, pageBytes: PAGE_BYTES });
  db.exec(`CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT);
    CREATE TABLE big(id INTEGER PRIMARY KEY, body BLOB);
    CREATE TABLE other(id INTEGER PRIMARY KEY, body TEXT);
    CREATE TABLE gone(id INTEGER PRIMARY KEY, body TEXT);
    CREATE TABLE pairs(k TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID;`);
  const count = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})`;
  db.exec(`${count} INSERT INTO t SELECT i, 'row number ' || i FROM n`);
  db.exec(`${count} INSERT INTO other SELECT i, 'other ' || i FROM n`);
  db.exec(`${count} INSERT INTO gone SELECT i, 'gone ' || i FROM n`);
  db.exec(`${count} INSERT INTO pairs SELECT printf('%05d', i), 'pair ' || i FROM n`);
  db.exec(`${count} INSERT INTO big SELECT i, zeroblob(i * 7) FROM n WHERE i <= 200`);
  db.exec('DROP TABLE gone');
  db.close();
});

/** What a walk of one table told, by kind. */
interface Walked {
  readonly rows: TableRow[];
  readonly leaves: LeafEvent<number | bigint>[];
  readonly others: TableWalkEvent[];
  readonly orphans: OrphanLeaf[];
}

type Damage = (bytes: Buffer, source: FilePageSource) => void;

function withSource<T>(path: string, use: (source: FilePageSource) => T): T {
  const source = openPageSource(path);
  try {
    return use(source);
  } finally {
    source.close();
  }
}

/** A copy of the sound database, its bytes changed. */
function damaged(name: string, damage: Damage): string {
  const path = join(directory, `${name}.db`);
  copyFileSync(sound, path);
  const bytes = readFileSync(path);
  withSource(sound, (source) => damage(bytes, source));
  writeFileSync(path, bytes);
  return path;
}

function rootOf(source: FilePageSource, table: string): number {
  return readSchema(source, new Claims()).entries.find(({ name }) => name === table)!.rootPage;
}

function walked(path: string, table: string): Walked {
  return withSource(path, (source) => {
    const claims = new Claims();
    let events: TableWalkEvent[] = [];
    for (const { name, rootPage } of readSchema(source, claims).entries) {
      if (name === 'pairs') for (const _ of walkIndex(source, rootPage, claims, null));
      else if (name === table) events = [...walkTable(source, rootPage, claims)];
      else if (rootPage > 0) for (const _ of walkTable(source, rootPage, claims));
    }
    const freelist = readFreelist(source);
    const free = freelist.ok ? [...freelist.trunks, ...freelist.leaves] : [];
    return {
      rows: events.filter((event) => event.type === 'row'),
      leaves: events.filter((event) => event.type === 'leaf'),
      others: events.filter((event) => event.type !== 'row' && event.type !== 'leaf'),
      orphans: [...orphanLeaves(source, claims, new Set(free))],
    };
  });
}

const pageOf = (bytes: Buffer, page: number): Buffer =>
  bytes.subarray((page - 1) * PAGE_BYTES, page * PAGE_BYTES);

const rowids = (rows: readonly TableRow[]): number[] => rows.map(({ rowid }) => Number(rowid));

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** The first interior page below a root, and the interval that it covers. */
function firstInterior(source: FilePageSource, root: number): number {
  const bytes = source.read(root)!;
  const page = decodePage(bytes, root, source);
  if (!page.ok || page.kind !== 'table-interior') throw new Error('the tree is too small');
  return bytes.readUInt32BE(page.cellOffsets[1]!);
}

describe('walks of damaged databases', () => {
  it('of a sound one, find no fault and no orphan beside the freelist', () => {
    const { rows, others, orphans } = walked(sound, 't');
    expect(rowids(rows)).toEqual(range(1, ROWS));
    expect(others).toEqual([]);
    expect(orphans).toEqual([]);
  });

  it('lose exactly the interval of a zeroed leaf', () => {
    const leaf = walked(sound, 't').leaves[20]!;
    const path = damaged('leaf', (bytes) => pageOf(bytes, leaf.page).fill(0));
    const { rows, others } = walked(path, 't');
    expect(others).toEqual([
      expect.objectContaining({ type: 'lost', page: leaf.page, low: leaf.low, high: leaf.high }),
    ]);
    const kept = [...range(1, Number(leaf.low)), ...range(Number(leaf.high) + 1, ROWS)];
    expect(rowids(rows)).toEqual(kept);
  });

  it('keep every row of two swapped leaves, marked as displaced', () => {
    const { leaves } = walked(sound, 't');
    const [first, second] = [leaves[3]!, leaves[40]!];
    const path = damaged('swapped', (bytes) => {
      const held = Buffer.from(pageOf(bytes, first.page));
      pageOf(bytes, second.page).copy(pageOf(bytes, first.page));
      held.copy(pageOf(bytes, second.page));
    });
    const { rows, others } = walked(path, 't');
    expect(others).toEqual([]);
    expect(rowids(rows).sort((left, right) => left - right)).toEqual(range(1, ROWS));
    const displaced = rows.filter((row) => row.displaced);
    expect(new Set(displaced.map(({ page }) => page))).toEqual(new Set([first.page, second.page]));
    const inFirst = displaced.find(({ page }) => page === first.page);
    expect(inFirst?.gap).toEqual({ low: first.low, high: first.high });
    expect(displaced).toHaveLength(first.cellCount + second.cellCount);
  });

  it('lose the interval of a zeroed interior page, whose leaves become orphans with all their rows', () => {
    const interior = withSource(sound, (source) => firstInterior(source, rootOf(source, 't')));
    const path = damaged('interior', (bytes) => pageOf(bytes, interior).fill(0));
    const { rows, others, orphans } = walked(path, 't');
    expect(others).toEqual([expect.objectContaining({ type: 'lost', page: interior })]);
    const found = withSource(path, (source) =>
      orphans.flatMap(({ page }) => [...walkTable(source, page, new Claims())]),
    ).filter((event) => event.type === 'row');
    expect(found.length).toBeGreaterThan(0);
    const all = [...rowids(rows), ...rowids(found)].sort((left, right) => left - right);
    expect(all).toEqual(range(1, ROWS));
  });

  it('end where an interior page leads back to its root, and tell so', () => {
    const path = damaged('cycle', (bytes, source) => {
      const root = rootOf(source, 't');
      pageOf(bytes, firstInterior(source, root)).writeUInt32BE(root, 8);
    });
    const { rows, others } = walked(path, 't');
    expect(others).toEqual([
      expect.objectContaining({
        type: 'lost',
        why: expect.stringContaining('belongs to the tree'),
      }),
    ]);
    expect(new Set(rowids(rows)).size).toBe(rows.length);
  });

  it('follow a page once when two trees lead to it', () => {
    const [mine, foreign] = [walked(sound, 't').leaves[5]!, walked(sound, 'other').leaves[5]!];
    const path = damaged('shared', (bytes, source) => {
      const text = (page: number): Buffer => {
        const pointer = Buffer.alloc(4);
        pointer.writeUInt32BE(page);
        return pointer;
      };
      for (let page = 1; page <= source.pageCount; page++) {
        const at = pageOf(bytes, page).indexOf(text(foreign.page));
        if (pageOf(bytes, page)[0] === 5 && at >= 0) text(mine.page).copy(pageOf(bytes, page), at);
      }
    });
    const { rows, others } = walked(path, 'other');
    expect(others).toContainEqual(
      expect.objectContaining({
        type: 'lost',
        page: mine.page,
        low: foreign.low,
        high: foreign.high,
      }),
    );
    expect(rows).toHaveLength(ROWS - foreign.cellCount);
    expect(rowids(walked(path, 't').rows)).toEqual(range(1, ROWS));
  });

  it('restore a damaged number of cells, where the bytes of the page prove it', () => {
    const leaf = walked(sound, 't').leaves[7]!;
    const path = damaged('halved', (bytes, source) => {
      for (const page of [leaf.page, firstInterior(source, rootOf(source, 't'))]) {
        const count = pageOf(bytes, page).readUInt16BE(3);
        pageOf(bytes, page).writeUInt16BE(Math.floor(count / 2), 3);
      }
    });
    const { rows, others } = walked(path, 't');
    expect(rowids(rows)).toEqual(range(1, ROWS));
    expect(others).toHaveLength(2);
    for (const event of others) expect(event.type).toBe('page-fault');
  });

  it('tell the keys of rows whose overflow chain is broken, and keep all others', () => {
    const row = walked(sound, 'big').rows[150]!;
    const lengths = new Map(walked(sound, 'big').rows.map((each) => [each.rowid, each.payload]));
    const path = damaged('overflow', (bytes, source) => {
      const page = decodePage(pageOf(bytes, row.page), row.page, source);
      if (!page.ok) throw new Error(page.fault);
      const offset = page.cellOffsets[row.cell]!;
      const cellEnd = page.cellOffsets[row.cell - 1] ?? PAGE_BYTES;
      const first = pageOf(bytes, row.page).readUInt32BE(cellEnd - 4);
      expect(offset).toBeLessThan(cellEnd);
      pageOf(bytes, first).fill(0);
    });
    const { rows, others } = walked(path, 'big');
    expect(others).toEqual([expect.objectContaining({ type: 'bad-cell', key: row.rowid })]);
    expect(rows).toHaveLength(199);
    for (const each of rows) expect(each.payload.equals(lengths.get(each.rowid)!)).toBe(true);
  });

  it('keep a row whose overflow chain is whole but leads back into itself at its end', () => {
    const row = walked(sound, 'big').rows[150]!;
    const path = damaged('loop', (bytes, source) => {
      const page = decodePage(pageOf(bytes, row.page), row.page, source);
      if (!page.ok) throw new Error(page.fault);
      const cellEnd = page.cellOffsets[row.cell - 1] ?? PAGE_BYTES;
      const first = pageOf(bytes, row.page).readUInt32BE(cellEnd - 4);
      let last = first;
      for (let next = first; next !== 0; next = pageOf(bytes, next).readUInt32BE(0)) last = next;
      expect(last).not.toBe(first);
      pageOf(bytes, last).writeUInt32BE(first);
    });
    const { rows, others } = walked(path, 'big');
    expect(others).toEqual([]);
    expect(rows.map(({ payload }) => payload.toString('hex'))).toEqual(
      walked(sound, 'big').rows.map(({ payload }) => payload.toString('hex')),
    );
  });

  it('go on behind a cell pointer that leads off the page', () => {
    const leaf = walked(sound, 't').leaves[9]!;
    const path = damaged('pointer', (bytes) => pageOf(bytes, leaf.page).writeUInt16BE(0xffff, 10));
    const { rows, others } = walked(path, 't');
    expect(rows).toHaveLength(ROWS - 1);
    const second = Number(leaf.low) + 2;
    expect(others).toContainEqual(
      expect.objectContaining({ type: 'bad-cell', cell: 1, low: second - 1, high: second + 1 }),
    );
  });

  it('keep the believable keys of an interior page when one of them is damaged', () => {
    const path = damaged('key', (bytes, source) => {
      const root = rootOf(source, 't');
      const page = firstInterior(source, root);
      const decoded = decodePage(pageOf(bytes, page), page, source);
      if (!decoded.ok) throw new Error(decoded.fault);
      // The first byte of a key of two: it grows beyond all others.
      pageOf(bytes, page)[decoded.cellOffsets[4]! + 4]! |= 0x40;
    });
    const { rows, others } = walked(path, 't');
    expect(rows.filter((row) => row.displaced)).toEqual([]);
    expect(rowids(rows)).toEqual(range(1, ROWS));
    expect(others).toEqual([expect.objectContaining({ type: 'bad-cell', cell: 4 })]);
  });
});
