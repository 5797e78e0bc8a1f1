import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodePage } from '../format/page.ts';
import { StoredText } from '../format/record.ts';
import { bufferSource } from '../format/testing/buffer-source.ts';
import { freshDirectory, removeDirectory } from '../testing/directories.ts';
import { Claims } from './claims.ts';
import { compareKeys } from './compare-keys.ts';
import { readSchema } from './schema.ts';
import { createDatabase, USUAL_LAYOUT } from './testing/layout.ts';
import type { IndexKey, IndexWalkEvent } from './walk-events.ts';
import { walkIndex } from './walk-index.ts';
import { walkTable } from './walk-table.ts';

const PAGE_BYTES = 512;
const ROWS = 600;
const directory = freshDirectory();
afterAll(() => removeDirectory(directory));
let sound: Buffer;
let pairsRoot: number;
let plainRoot: number;

beforeAll(() => {
  const path = join(directory, 'pairs.db');
  const db = createDatabase(path, { ...USUAL_LAYOUT, pageBytes: PAGE_BYTES });
  db.exec(`CREATE TABLE pairs(k TEXT PRIMARY KEY DESC, v) WITHOUT ROWID;
    CREATE TABLE plain(id INTEGER PRIMARY KEY, v);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
    INSERT INTO pairs SELECT printf('%04d', i), 'value ' || i FROM n;
    INSERT INTO plain SELECT CAST(k AS INT), v FROM pairs;
    DELETE FROM plain WHERE id % 5 = 0 AND id <= 100`);
  db.close();
  sound = readFileSync(path);
  const { entries } = readSchema(bufferSource(sound), new Claims());
  pairsRoot = entries.find(({ name }) => name === 'pairs')!.rootPage;
  plainRoot = entries.find(({ name }) => name === 'plain')!.rootPage;
});

const order = compareKeys([{ collation: 'BINARY', descending: true }]);
const walked = (bytes: Buffer): IndexWalkEvent[] => [
  ...walkIndex(bufferSource(bytes), pairsRoot, new Claims(), order),
];

const keyOf = (values: IndexKey): number => {
  const [key] = values;
  return key instanceof StoredText ? Number(key.text) : Number.NaN;
};

const keysOf = (events: readonly IndexWalkEvent[]): number[] =>
  events.filter((event) => event.type === 'row').map(({ values }) => keyOf(values));

const descending = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, from - to + 1) }, (_, index) => from - index);

const pageOf = (bytes: Buffer, page: number): Buffer =>
  bytes.subarray((page - 1) * PAGE_BYTES, page * PAGE_BYTES);

describe('walkIndex', () => {
  it('reads the rows of interior pages between those of their children, in the order of the key', () => {
    const events = walked(sound);
    expect(keysOf(events)).toEqual(descending(ROWS, 1));
    expect(events.filter((event) => event.type === 'row' && event.interior).length).toBeGreaterThan(
      5,
    );
  });

  it('loses exactly the keys between two interior rows when a leaf is zeroed', () => {
    const leaves = walked(sound).filter((event) => event.type === 'leaf');
    const leaf = leaves[4]!;
    const bytes = Buffer.from(sound);
    pageOf(bytes, leaf.page).fill(0);
    const events = walked(bytes);
    const [high, low] = [keyOf(leaf.low!), keyOf(leaf.high!)];
    expect(events.filter((event) => event.type === 'lost')).toMatchObject([{ page: leaf.page }]);
    expect(keysOf(events)).toEqual([...descending(ROWS, high), ...descending(low, 1)]);
    expect(high - low - 1).toBe(leaf.cellCount);
  });

  it('keeps the rows of two swapped leaves, marked as displaced', () => {
    const leaves = walked(sound).filter((event) => event.type === 'leaf');
    const [first, second] = [leaves[2]!, leaves[9]!];
    const bytes = Buffer.from(sound);
    pageOf(sound, second.page).copy(pageOf(bytes, first.page));
    pageOf(sound, first.page).copy(pageOf(bytes, second.page));
    const events = walked(bytes);
    expect(keysOf(events).sort((left, right) => right - left)).toEqual(descending(ROWS, 1));
    const displaced = events.filter((event) => event.type === 'row' && event.displaced);
    expect(displaced).toHaveLength(first.cellCount + second.cellCount);
  });
});

describe('a page that lost track of its free space', () => {
  it('is at fault, but loses no row: none may be put back in the place of a deleted one', () => {
    const bytes = Buffer.from(sound);
    let changed = 0;
    for (let page = 2; page <= bytes.length / PAGE_BYTES; page++) {
      const decoded = decodePage(pageOf(bytes, page), page, bufferSource(bytes));
      if (!decoded.ok || decoded.kind !== 'table-leaf' || decoded.firstFreeblock === 0) continue;
      pageOf(bytes, page).writeUInt16BE(0, 1);
      changed += 1;
    }
    expect(changed).toBeGreaterThan(0);
    const events = [...walkTable(bufferSource(bytes), plainRoot, new Claims())];
    const others = events.filter((event) => event.type !== 'row' && event.type !== 'leaf');
    expect(others).toHaveLength(changed);
    for (const event of others) expect(event.type).toBe('page-fault');
    expect(events.filter((event) => event.type === 'row')).toHaveLength(ROWS - 20);
  });
});
