import Database from 'better-sqlite3';
import { afterAll, describe, expect, it } from 'vitest';
import { DIFFERENCES_MAX } from './compare-databases.ts';
import { differencesOf, dumpText, loadText, Workbench } from './testing/round-trip.ts';

const bench = new Workbench();
afterAll(() => bench.remove());

const SCHEMA = `
  CREATE TABLE t(a, b);
  INSERT INTO t(rowid, a, b) VALUES (1, 1, 'x'), (2, 1.0, x'78'), (5, NULL, '');
  CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES ('a', 1), ('b', 2);
  CREATE TABLE s(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO s VALUES (3);
  CREATE INDEX i ON t(a);
  CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('words here');
  ANALYZE;
`;

describe('two databases compared', () => {
  it('C-D5: every difference that an application can tell is found, and told in words', async () => {
    const db = bench.make(SCHEMA);
    const { text } = await dumpText(db);
    const changes: [string, RegExp][] = [
      [`UPDATE t SET a = 1.0 WHERE rowid = 1`, /^table t: row 1 differs$/],
      [`UPDATE t SET b = 'x' WHERE rowid = 2`, /^table t: row 2 differs$/],
      [`UPDATE t SET b = NULL WHERE rowid = 5`, /^table t: row 3 differs$/],
      [`UPDATE t SET rowid = 6 WHERE rowid = 5`, /^table t: row 3 differs$/],
      [`DELETE FROM t WHERE rowid = 5`, /^table t ends before row 3 there$/],
      [`INSERT INTO t VALUES (9, 9)`, /^table t ends before row 4 here$/],
      [`UPDATE w SET v = 3 WHERE k = 'b'`, /^table w: row 2 differs$/],
      [`UPDATE sqlite_sequence SET seq = 9`, /^table sqlite_sequence: row 1 differs$/],
      [`DELETE FROM sqlite_stat1`, /sqlite_stat1 is missing there$/],
      [`INSERT INTO f VALUES ('more')`, /^table f_\w+/],
      [`DROP INDEX i`, /^index i is missing there$/],
      [`CREATE VIEW v AS SELECT 1`, /^view v is missing here$/],
      [`DROP INDEX i; CREATE INDEX i ON t(a DESC)`, /^index i is defined otherwise there$/],
      [`ALTER TABLE t ADD COLUMN c`, /^table t/],
      [`PRAGMA user_version = 2`, /^userVersion is 0 here and 2 there$/],
      [`PRAGMA application_id = 2`, /^applicationId is 0 here and 2 there$/],
      [`PRAGMA page_size = 512; VACUUM`, /^pageBytes is 4096 here and 512 there$/],
    ];
    for (const [change, words] of changes) {
      const path = bench.newPath();
      await loadText(text, path);
      expect(await differencesOf(db, path)).toEqual([]);
      const other = new Database(path);
      other.exec(change);
      other.close();
      const differences = await differencesOf(db, path);
      expect(
        differences.some((difference) => words.test(difference)),
        `${change}: ${differences}`,
      ).toBe(true);
    }
  });

  it('C-D12: no more differences are told than are of use', async () => {
    const names = Array.from({ length: 50 }, (_, index) => `CREATE TABLE t${index}(a);`).join('');
    const db = bench.make(names);
    const path = bench.newPath();
    await loadText('CREATE TABLE other(a);', path);
    expect(await differencesOf(db, path)).toHaveLength(DIFFERENCES_MAX);
  });
});
