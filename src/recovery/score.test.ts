import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compareRows, compareScores, scoreOf } from './score.ts';
import {
  addNotes,
  childPages,
  makeDatabase,
  query,
  rootPage,
  zeroPage,
} from './testing/workbench.ts';

let directory: string;
const signal = new AbortController().signal;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-score-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

type Rows = Map<number, string>;

const rowsArbitrary: fc.Arbitrary<Rows> = fc
  .array(fc.tuple(fc.integer({ min: -5, max: 20 }), fc.constantFrom('a', 'A', 'b', '', 'ä')), {
    maxLength: 25,
  })
  .map((rows) => new Map(rows));

function write(path: string, ddl: string, rows: Rows): void {
  rmSync(path, { force: true });
  const database = new Database(path);
  database.exec(ddl);
  const insert = database.prepare('INSERT INTO t VALUES(?, ?)');
  for (const [key, value] of rows) insert.run(key, value);
  database.close();
}

describe('rows of a candidate against rows of the damaged file', () => {
  it.each([
    ['row ids', 'CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT COLLATE NOCASE)'],
    ['a hidden row id', 'CREATE TABLE t(rowid INTEGER PRIMARY KEY, v)'],
    ['no row ids', 'CREATE TABLE t(id INT PRIMARY KEY, v TEXT COLLATE NOCASE) WITHOUT ROWID'],
  ])('counts exactly, in a table with %s', (_what, ddl) => {
    fc.assert(
      fc.property(rowsArbitrary, rowsArbitrary, (reference, candidate) => {
        const paths = [join(directory, 'candidate.db'), join(directory, 'reference.db')] as const;
        write(paths[0], ddl, candidate);
        write(paths[1], ddl, reference);
        const keys = [...reference.keys()];
        const kept = keys.filter((key) => candidate.get(key) === reference.get(key)).length;
        const lost = keys.filter((key) => !candidate.has(key)).length;
        expect(compareRows(paths[0], paths[1], new Set(), signal)).toEqual([
          {
            table: 't',
            readable: reference.size,
            readToEnd: true,
            total: candidate.size,
            kept,
            stale: reference.size - kept - lost,
            lost,
            filled: [...candidate.keys()].filter((key) => !reference.has(key)).length,
          },
        ]);
      }),
      { numRuns: 40 },
    );
  });

  it('reads a table from both ends of the damage', () => {
    const [whole, damaged] = [join(directory, 'whole.db'), join(directory, 'damaged.db')];
    for (const path of [whole, damaged]) makeDatabase(path, { rows: 2_000 });
    const leaves = childPages(damaged, rootPage(damaged, 'notes'));
    zeroPage(damaged, leaves[Math.floor(leaves.length / 2)]!);
    const notes = compareRows(whole, damaged, new Set(), signal)!.find(
      ({ table }) => table === 'notes',
    )!;
    expect(notes.readToEnd).toBe(false);
    expect(notes.kept).toBe(notes.readable);
    expect(notes.kept + notes.filled).toBe(2_000);
    expect(notes.filled).toBeGreaterThan(0);
    expect(notes.filled).toBeLessThan(100);
  });

  it('says nothing of a file whose schema cannot be read', () => {
    const [whole, damaged] = [join(directory, 'whole.db'), join(directory, 'damaged.db')];
    for (const path of [whole, damaged]) makeDatabase(path, { rows: 10 });
    zeroPage(damaged, 1);
    expect(compareRows(whole, damaged, new Set(), signal)).toBeNull();
  });

  it('tables that only one side has are lost or filled', () => {
    const [left, right] = [join(directory, 'left.db'), join(directory, 'right.db')];
    for (const path of [left, right]) makeDatabase(path, { rows: 10 });
    query(left, (database) => database.exec('CREATE TABLE extra AS SELECT 1 AS n UNION SELECT 2'));
    query(left, (database) => addNotes(database, 11, 13));
    const find = (candidate: string, reference: string): unknown =>
      compareRows(candidate, reference, new Set(), signal)!.find(({ table }) => table === 'extra');
    expect(find(left, right)).toMatchObject({ filled: 2, lost: 0, readable: null });
    expect(find(right, left)).toMatchObject({ filled: 0, lost: 2, readable: 2 });
  });
});

describe('the choice', () => {
  const rows = { table: 't', readable: 9, total: 9, kept: 9, stale: 0, lost: 0, filled: 0 };

  it('counts known rows as missing only where the damaged table was cut short', () => {
    const snapshot = [{ ...rows, lost: 4, readToEnd: true }];
    expect(scoreOf([{ ...rows, readToEnd: false }], snapshot).missing).toBe(4);
    expect(scoreOf([{ ...rows, readToEnd: true }], snapshot).missing).toBe(0);
    expect(scoreOf([{ ...rows, readToEnd: true, filled: 3 }], null).resurrected).toBe(3);
    expect(scoreOf([{ ...rows, readToEnd: true, stale: 2, lost: 1 }], null).notKept).toBe(3);
  });

  it('prefers fewer rows lost, then fewer missing, then fewer resurrected, then the less invasive', () => {
    const of = (notKept: number, missing: number, resurrected: number, invasiveness: number) => ({
      score: { notKept, missing, resurrected },
      invasiveness,
    });
    const best = [of(0, 0, 0, 1), of(0, 0, 0, 4), of(0, 0, 1, 0), of(0, 1, 0, 0), of(1, 0, 0, 0)];
    expect([...best].reverse().sort(compareScores)).toEqual(best);
  });
});
