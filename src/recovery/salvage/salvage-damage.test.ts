import Database from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkDatabase } from '../../sqlite/database-check.ts';
import { dumpOf } from './testing/dump.ts';
import { compare, History } from './testing/history.ts';

let history: History;

beforeAll(() => {
  history = new History(1);
});
beforeEach(() => history.reset());
afterAll(() => history.remove());

const NOTHING = { missing: [], old: [], fabricated: [] };
const middle = <T>(items: readonly T[]): T => items[Math.floor(items.length / 2)]!;

async function salvaged(withSnapshot = true): Promise<string> {
  const { path } = await history.salvage(withSnapshot);
  expect(checkDatabase(path, 'full')).toMatchObject({ outcome: 'ok', messages: [] });
  return path;
}

describe('a page that leads to others is lost', () => {
  it.each(['notes', 'tags', 'files'])(
    'every row of %s is found on its leaves, and none that was deleted comes back',
    async (table) => {
      const { root, interior } = history.pagesOf(table);
      for (const page of [root, ...interior.slice(0, 1)]) history.zero(page);
      expect(compare(history, await salvaged())).toEqual(NOTHING);
    },
  );

  it('also without any snapshot', async () => {
    history.zero(history.pagesOf('notes').root);
    const { path, doubtfulRows } = await history.salvage(false);
    expect(compare(history, path)).toEqual(NOTHING);
    // Between two leaves there may have been a third one.
    expect(doubtfulRows).toBeGreaterThan(0);
  });
});

describe('pages in each other’s place', () => {
  it('of one table lose no row', async () => {
    const { leaves } = history.pagesOf('notes');
    history.swap(leaves[3]!, leaves.at(-4)!);
    expect(compare(history, await salvaged())).toEqual(NOTHING);
    expect(compare(history, await salvaged(false))).toEqual(NOTHING);
  });

  it('of two tables lose no row, and give neither table a row of the other', async () => {
    const notes = history.pagesOf('notes').leaves;
    const files = history.pagesOf('files').leaves;
    history.swap(middle(notes), middle(files));
    expect(compare(history, await salvaged())).toEqual(NOTHING);
  });
});

describe('a root pointer of the schema leads elsewhere', () => {
  function setRoots(roots: Readonly<Record<string, number>>): void {
    const database = new Database(history.live);
    database.unsafeMode(true);
    database.pragma('writable_schema = ON');
    const set = database.prepare('UPDATE sqlite_schema SET rootpage = ? WHERE name = ?');
    for (const [name, root] of Object.entries(roots)) set.run(root, name);
    database.close();
  }

  it('onto a leaf of another table: that leaf stays where its keys are, and both tables are whole', async () => {
    history.change((database) => database.exec('DELETE FROM tags WHERE id > 20; VACUUM'));
    // Its own entry in the schema comes after that of tags.
    const leaf = middle(history.pagesOf('files').leaves);
    setRoots({ tags: leaf });
    expect(compare(history, await salvaged(false))).toEqual(NOTHING);
  });

  it('onto each other: the indexes tell whose rows they are', async () => {
    history.change((database) =>
      database.exec(`CREATE TABLE left(id INT PRIMARY KEY, v); CREATE TABLE right(id INT PRIMARY KEY, v);
        INSERT INTO left SELECT id, 'left' FROM notes; INSERT INTO right SELECT -id, 'right' FROM notes`),
    );
    const [left, right] = [history.pagesOf('left').root, history.pagesOf('right').root];
    setRoots({ left: right, right: left });
    const { path } = await history.salvage(false);
    const { rows } = dumpOf(path) as { rows: unknown };
    expect(rows).toEqual((dumpOf(history.truth) as { rows: unknown }).rows);
  });
});

describe('a leaf is lost', () => {
  it('its rows come from the snapshot as they were then, and all others are kept', async () => {
    const { leaves, rowids } = history.pagesOf('notes');
    const page = middle(leaves);
    history.zero(page);
    const { path, report, doubtfulRows } = await history.salvage();
    const { missing, old, fabricated } = compare(history, path);
    const lost = new Set(rowids.get(page)!.map(String));
    expect(fabricated).toEqual([]);
    for (const row of [...missing, ...old]) expect(lost).toContain(/^notes (\d+)\|/.exec(row)?.[1]);
    const tally = report.tables.find(({ table }) => table === 'notes');
    expect(tally?.filled).toBeGreaterThan(0);
    expect(report.filledSample.map(({ key }) => key)).toHaveLength(Math.min(50, tally!.filled));
    expect(report.filledSample[0]).toMatchObject({
      table: 'notes',
      reason: expect.stringContaining(`page ${page}`),
    });
    expect(doubtfulRows).toBe(0);
  });

  it('rows written since the snapshot survive, wherever their page can be read', async () => {
    history.zero(history.pagesOf('notes').leaves[0]!);
    const path = await salvaged();
    const database = new Database(path);
    const ids = database.prepare('SELECT id FROM notes WHERE id > 400 ORDER BY id').pluck().all();
    const stale = database
      .prepare(`SELECT count(*) FROM notes WHERE body = 'changed since'`)
      .pluck();
    expect(ids).toHaveLength(40);
    expect(stale.get()).toBeGreaterThan(3);
    expect(database.prepare('SELECT seq FROM sqlite_sequence').pluck().all()).toEqual([440]);
    database.close();
  });

  it('without a snapshot the rest is kept, and that something is missing is said', async () => {
    const { leaves, rowids } = history.pagesOf('tags');
    const page = middle(leaves);
    history.zero(page);
    const { path, doubtfulRows } = await history.salvage(false);
    const { missing, old, fabricated } = compare(history, path);
    expect({ old, fabricated }).toEqual({ old: [], fabricated: [] });
    expect(missing).toHaveLength(rowids.get(page)!.length);
    expect(doubtfulRows).toBeGreaterThan(0);
  });
});

describe('part of a row is lost', () => {
  it.each([true, false])(
    'it is never put together from what is left (snapshot: %s)',
    async (withSnapshot) => {
      const { overflow } = history.pagesOf('notes');
      for (const page of [overflow[0]!, overflow.at(-1)!]) history.zero(page);
      const { path } = await history.salvage(withSnapshot);
      const { missing, fabricated } = compare(history, path);
      expect(fabricated).toEqual([]);
      expect(missing.length).toBeLessThanOrEqual(2);
    },
  );
});

describe('page 1 is lost', () => {
  it('the snapshot tells the schema, and every row is kept', async () => {
    history.zero(1);
    const path = await salvaged();
    expect(compare(history, path)).toEqual(NOTHING);
    const { schema, settings } = dumpOf(path) as Record<string, unknown>;
    expect({ schema, settings }).toMatchObject({
      schema: (dumpOf(history.truth) as Record<string, unknown>)['schema'],
    });
  });

  it('only its header is lost: the same', async () => {
    history.damage((bytes) => void bytes.fill(0x55, 0, 100));
    expect(compare(history, await salvaged())).toEqual(NOTHING);
  });

  it('without a snapshot nothing can be built', async () => {
    history.zero(1);
    await expect(history.salvage(false)).rejects.toMatchObject({ code: 'RECOVERY_FAILED' });
  });
});

describe('rows deleted since the snapshot', () => {
  it('stay deleted also where a page was lost, as long as an index lists what was left', async () => {
    history.change((database) => database.exec('DELETE FROM notes WHERE id BETWEEN 100 AND 250'));
    const { leaves, rowids } = history.pagesOf('notes');
    const around = leaves.find((page) => rowids.get(page)!.some((id) => id > 250n))!;
    history.zero(around);
    const { old, fabricated } = compare(history, await salvaged());
    expect(fabricated).toEqual([]);
    expect(old.filter((row) => /^notes (1\d\d|2[0-4]\d)\|/.test(row))).toEqual([]);
  });

  it('stay deleted outside of what was lost', async () => {
    history.change((database) => database.exec('DELETE FROM tags WHERE id % 2 = 0'));
    history.zero(middle(history.pagesOf('notes').leaves));
    const { old } = compare(history, await salvaged());
    expect(old.filter((row) => row.startsWith('tags'))).toEqual([]);
  });
});
