import { mkdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import { copyFamily } from '../../sqlite/copy-family.ts';
import { openReader } from '../../store/repository.ts';
import type { ChosenCandidate } from '../choose-candidate.ts';
import { chooseRepair } from '../repair-database.ts';
import { SnapshotDatabases } from '../snapshot-databases.ts';
import {
  childPages,
  overwrite,
  query,
  rootPage,
  Workbench,
  zeroPage,
} from '../testing/workbench.ts';

let bench: Workbench;
let app: string;

beforeEach(async () => {
  bench = await Workbench.create();
  app = bench.path('app.db');
});
afterEach(() => bench.remove());

const BODY = 'x'.repeat(180);

/** One table of some twenty leaves below one root. */
function makeItems(name: string, rows = 400): void {
  const database = new Database(app);
  try {
    database.exec(`CREATE TABLE ${name}(id INTEGER PRIMARY KEY, body TEXT, file BLOB)`);
    const insert = database.prepare(`INSERT INTO ${name}(id, body) VALUES(?, ?)`);
    database.transaction(() => {
      for (let row = 1; row <= rows; row += 1) insert.run(row * 10, `${name} ${row} ${BODY}`);
    })();
  } finally {
    database.close();
  }
}

const sql = (text: string): void => query(app, (database) => void database.exec(text));

function rowsOf(path: string, table: string): unknown[] {
  const read = (database: Database.Database): unknown[] =>
    database.prepare(`SELECT * FROM ${table} ORDER BY id`).all();
  return query(path, read);
}

interface HealOutcome {
  readonly healed: ChosenCandidate | null;
  readonly failure: string | null;
  /** Name of what recovery would install. */
  readonly best: string | null;
}

/** Builds every candidate, and hands the healed one to `look`. */
async function heal(look: (healed: ChosenCandidate) => void = () => {}): Promise<HealOutcome> {
  const scratch = join(bench.directory, 'scratch');
  const pristine = join(scratch, 'pristine');
  mkdirSync(pristine, { recursive: true });
  const activity = quietActivity();
  const reader = await openReader(bench.repository);
  try {
    const snapshots = new SnapshotDatabases(reader, bench.source, () => undefined);
    const copy = await copyFamily(app, pristine, { clock: systemClock, signal: activity.signal });
    const { passed, tried } = await chooseRepair(
      { database: app, snapshots, scratchDirectory: scratch, rotten: false, all: true },
      copy,
      activity,
    );
    const healed = passed.find(({ name }) => name === 'heal') ?? null;
    if (healed !== null) look(healed);
    const failure = tried.find(({ candidate }) => candidate === 'heal')?.failure ?? null;
    return { healed, failure, best: passed[0]?.name ?? null };
  } finally {
    reader.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

const leafAt = (table: string, index: number): number =>
  childPages(app, rootPage(app, table))[index]!;

describe('a damaged page', () => {
  it('is taken from the snapshot; rows written since on other pages stay', async () => {
    makeItems('items');
    await bench.snapshot(['app.db']);
    sql(`UPDATE items SET body = 'new' WHERE id = 4000; INSERT INTO items(id) VALUES(4010)`);
    const truth = rowsOf(app, 'items');
    zeroPage(app, leafAt('items', 2));
    const { healed, best } = await heal(({ path }) => expect(rowsOf(path, 'items')).toEqual(truth));
    expect(best).toBe('heal');
    expect(healed?.label).toMatch(/items 1 pages with \d+ rows as of then/);
    expect(healed?.doubtfulRows).toBe(0);
  });

  it('that is the root of its table brings back every page below it, as it is now', async () => {
    makeItems('items');
    await bench.snapshot(['app.db']);
    sql(`UPDATE items SET body = replace(body, 'x', 'y') WHERE id % 70 = 0`);
    const truth = rowsOf(app, 'items');
    zeroPage(app, rootPage(app, 'items'));
    const { best } = await heal(({ path }) => expect(rowsOf(path, 'items')).toEqual(truth));
    expect(best).toBe('heal');
  });

  it('in the middle of an overflow chain comes back, unless its row was written since', async () => {
    makeItems('items');
    sql('UPDATE items SET file = randomblob(20000) WHERE id IN (50, 60)');
    await bench.snapshot(['app.db']);
    const truth = rowsOf(app, 'items');
    /** Those of row 50 before those of row 60, each in the order of its chain. */
    const overflowPages = (): number[] =>
      query(app, (database) =>
        database
          .prepare<[], number>(
            `SELECT pageno FROM dbstat WHERE name = 'items' AND pagetype = 'overflow' ORDER BY path`,
          )
          .pluck()
          .all(),
      );
    const whole = readFileSync(app);
    zeroPage(app, overflowPages().at(1)!);
    const { best } = await heal(({ path }) => expect(rowsOf(path, 'items')).toEqual(truth));
    expect(best).toBe('heal');
    overwrite(app, 0, whole);
    sql(`UPDATE items SET body = 'newer' WHERE id = 60`);
    zeroPage(app, overflowPages().at(-3)!);
    const { healed, failure } = await heal();
    expect(healed).toBeNull();
    expect(failure).toMatch(/overflow/);
  });

  it('that another table has taken over since is not put back', async () => {
    makeItems('items');
    sql('CREATE TABLE others(id INTEGER PRIMARY KEY, body TEXT)');
    await bench.snapshot(['app.db']);
    const page = leafAt('items', 3);
    sql(`DELETE FROM items WHERE id > 50;
      INSERT INTO others SELECT value, hex(randomblob(90)) FROM
        (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 300)
         SELECT value FROM n)`);
    expect(childPages(app, rootPage(app, 'others'))).toContain(page);
    const truth = rowsOf(app, 'items');
    zeroPage(app, page);
    const { healed, failure } = await heal();
    expect(healed).toBeNull();
    expect(failure).toMatch(/is another page in the snapshot|has no page/);
    await bench.recover({ mode: 'force', acceptLoss: true });
    expect(rowsOf(app, 'items')).not.toEqual([]);
    expect(truth.length).toBeLessThan(10);
  });

  it('whose rows have moved to a sibling since is not put back: they would be there twice', async () => {
    makeItems('items');
    await bench.snapshot(['app.db']);
    const page = leafAt('items', 4);
    const before = childPages(app, rootPage(app, 'items')).length;
    sql(`INSERT INTO items(id, body) SELECT id + 1, body FROM items WHERE id BETWEEN 700 AND 900`);
    expect(childPages(app, rootPage(app, 'items')).length).toBeGreaterThan(before);
    zeroPage(app, page);
    const { healed, failure } = await heal(({ path }) => {
      const ids = rowsOf(path, 'items').map((row) => (row as { id: number }).id);
      expect(new Set(ids).size).toBe(ids.length);
    });
    expect(healed).toBeNull();
    expect(failure).toMatch(/have moved since the snapshot/);
  });

  it('may bring back rows that were deleted since, which the report then counts as filled', async () => {
    makeItems('items');
    await bench.snapshot(['app.db']);
    const page = leafAt('items', 2);
    sql('DELETE FROM items WHERE id = 500');
    const truth = rowsOf(app, 'items');
    zeroPage(app, page);
    const { healed } = await heal(({ path }) => {
      expect(rowsOf(path, 'items').length).toBe(truth.length + 1);
    });
    const items = healed?.rows?.find(({ table }) => table === 'items');
    expect(items).toMatchObject({ readToEnd: false, lost: 0, stale: 0 });
    expect(items!.filled).toBe(items!.total - items!.kept);
    expect(items!.filled).toBeGreaterThan(0);
  });

  it('on which rows were inserted since makes their loss show, where an index still lists them', async () => {
    makeItems('items');
    sql('CREATE INDEX items_body ON items(body)');
    await bench.snapshot(['app.db']);
    const page = leafAt('items', 2);
    sql('DELETE FROM items WHERE id = 500; INSERT INTO items(id, body) VALUES(501, 1), (502, 2)');
    zeroPage(app, page);
    const { healed } = await heal();
    expect(healed?.doubtfulRows).toBe(1);
    expect(healed?.score.notKept).toBe(1);
  });
});

describe('pages that were swapped', () => {
  it('cost no row that can still be read: healing is refused, or its score tells', async () => {
    makeItems('items');
    await bench.snapshot(['app.db']);
    sql('INSERT INTO items(id) SELECT id + 1 FROM items WHERE id % 500 = 0');
    const truth = rowsOf(app, 'items').length;
    const [left, right] = [leafAt('items', 1), leafAt('items', 5)];
    const bytes = readFileSync(app);
    const page = (number: number): Buffer => bytes.subarray((number - 1) * 4096, number * 4096);
    overwrite(app, (left - 1) * 4096, page(right));
    overwrite(app, (right - 1) * 4096, page(left));
    const { healed, failure } = await heal(({ path, score }) => {
      expect(score.notKept).toBeGreaterThanOrEqual(truth - rowsOf(path, 'items').length);
    });
    if (healed === null) expect(failure).toMatch(/rows could be read|moved since/);
  });
});

describe('the first page', () => {
  it.each([
    ['its magic', 16],
    ['its header', 100],
    ['all of it', 4096],
  ])('%s lost: every row is there, also those written since', async (_what, bytes) => {
    makeItems('items');
    sql('PRAGMA user_version = 7');
    await bench.snapshot(['app.db']);
    sql(`UPDATE items SET body = 'new' WHERE id % 30 = 0; INSERT INTO items(id) VALUES(4010)`);
    const truth = rowsOf(app, 'items');
    overwrite(app, 0, Buffer.alloc(bytes, bytes === 100 ? 0x55 : 0));
    const { best } = await heal(({ path }) => {
      expect(rowsOf(path, 'items')).toEqual(truth);
      const version = query(path, (database) => database.pragma('user_version', { simple: true }));
      expect(version).toBe(7);
    });
    expect(best).toBe('heal');
  });
});
