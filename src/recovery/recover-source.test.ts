import {
  chmodSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listQuarantine } from '../files/quarantine/quarantine.ts';
import { quietActivity } from '../kernel/activity.ts';
import { checkDatabase } from '../sqlite/database-check.ts';
import { SqliteChild } from '../sqlite/testing/processes.ts';
import { listReports } from './report-store.ts';
import {
  addNotes,
  childPages,
  contentsOf,
  makeDatabase,
  overwrite,
  PAGE_BYTES,
  query,
  rootPage,
  Workbench,
  zeroPage,
} from './testing/workbench.ts';

let bench: Workbench;
let app: string;

beforeEach(async () => {
  bench = await Workbench.create();
  app = bench.path('app.db');
});
afterEach(() => bench.remove());

describe('a damaged table', () => {
  it('F32, Z-28, Z-94, Z-97, Z-D14: is rebuilt row by row, newer rows included; others stay as they were, and the original is kept', async () => {
    makeDatabase(app);
    makeDatabase(bench.path('other.db'), { journalMode: 'wal' });
    const older = await bench.snapshot(['app.db', 'other.db']);
    query(app, (database) => addNotes(database, 601, 610));
    const newer = await bench.snapshot(['app.db', 'other.db']);
    query(app, (database) => addNotes(database, 611, 620));
    const captured = contentsOf(app);
    chmodSync(app, 0o640);
    zeroPage(app, rootPage(app, 'notes'));
    const other = readFileSync(bench.path('other.db'));
    const damaged = readFileSync(app);

    const result = await bench.recover();

    expect(result).toMatchObject({ ok: true, recovered: 1, needsOperator: 0, busy: 0 });
    expect(older).not.toBe(newer);
    expect(contentsOf(app)).toEqual(captured);
    expect(statSync(app).mode & 0o7777).toBe(0o640);
    expect(readFileSync(bench.path('other.db')).equals(other)).toBe(true);
    expect(bench.names()).toEqual(['app.db', 'other.db']);
    const [report] = await listReports(bench.state);
    expect(report).toMatchObject({
      state: 'recovered',
      rung: 'salvage',
      snapshot: { id: newer },
    });
    expect(report?.rows).toContainEqual({
      table: 'tags',
      readable: 620,
      readToEnd: true,
      total: 620,
      kept: 620,
      stale: 0,
      lost: 0,
      filled: 0,
    });
    const [kept, ...more] = await listQuarantine(bench.state);
    expect(more).toEqual([]);
    expect(kept?.id).toBe(report?.quarantineId);
    const stored = join(bench.state, 'quarantine', kept!.id, kept!.items[0]!.members[0]!.stored);
    expect(readFileSync(stored).equals(damaged)).toBe(true);
    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 0 });
  });

  it('Z-D7, Z-68: passes over snapshots that failed their check, and those whose content is damaged', async () => {
    makeDatabase(app);
    const sound = await bench.snapshot(['app.db']);
    query(app, (database) => addNotes(database, 601, 605));
    await bench.snapshot(['app.db'], { check: { ok: false, messages: ['Tree 2 page 2: bad'] } });
    const written = contentsOf(app);
    zeroPage(app, rootPage(app, 'notes'));
    // A snapshot that claims to be sound and is not.
    await bench.snapshot(['app.db']);
    overwrite(app, PAGE_BYTES * 2, Buffer.alloc(64, 7));
    expect(await bench.recover()).toMatchObject({ recovered: 1 });
    expect(contentsOf(app)).toEqual(written);
    const [report] = await listReports(bench.state);
    expect(report?.snapshot?.id).toBe(sound);
    expect(report?.candidates.filter(({ gates }) => gates.some(({ ok }) => !ok))).not.toEqual([]);
  });

  it.each([
    ['cut short', () => truncateSync(app, PAGE_BYTES * 10)],
    ['robbed of its header', () => overwrite(app, 0, Buffer.alloc(100, 0x55))],
    ['robbed of its first page', () => zeroPage(app, 1)],
  ])('Z-68: rolls back a file %s', async (_what, damage) => {
    makeDatabase(app, { journalMode: 'wal' });
    await bench.snapshot(['app.db']);
    const captured = contentsOf(app);
    damage();
    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });
    expect(contentsOf(app)).toEqual(captured);
    expect(query(app, (database) => database.pragma('journal_mode', { simple: true }))).toBe('wal');
    expect(bench.names()).toEqual(['app.db']);
  });

  it('Z-92, Z-95: recovers from damage anywhere, or leaves the file alone: never a file that fails its check', async () => {
    makeDatabase(app, { rows: 200 });
    await bench.snapshot(['app.db']);
    const captured = contentsOf(app);
    const whole = readFileSync(app);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.uint8Array({ minLength: 1, maxLength: 600 }),
        async (position, bytes) => {
          overwrite(app, 0, whole);
          truncateSync(app, whole.length);
          overwrite(app, position, Buffer.from(bytes).subarray(0, whole.length - position));
          const sound = checkDatabase(app, 'full', { readonly: true }).ok;
          const result = await bench.recover({ mode: 'force' });
          if (sound) expect(result.recovered).toBe(0);
          else {
            expect(result.databases).toMatchObject([{ state: 'recovered' }]);
            expect(checkDatabase(app, 'full').ok).toBe(true);
            const { rung } = (await listReports(bench.state, { limit: 1 }))[0]!;
            if (rung === 'roll-back') expect(contentsOf(app)).toEqual(captured);
          }
        },
      ),
      { numRuns: 15, seed: 20_261 },
    );
  });
});

describe('damage that can be derived again', () => {
  const index = (name: string) => (): void => zeroPage(app, rootPage(app, name));
  const leaf = (name: string) => (): void =>
    zeroPage(app, childPages(app, rootPage(app, name))[1]!);

  it.each([
    ['an index root', index('notes_title')],
    ['an index leaf', leaf('notes_title')],
    ['the root of a UNIQUE constraint', index('sqlite_autoindex_notes_1')],
    ['a leaf of a UNIQUE constraint', leaf('sqlite_autoindex_notes_1')],
    ['the list of free pages', () => overwrite(app, 32, Buffer.from([0, 9, 9, 9]))],
    ['the full-text data', index('search_data')],
    ['the full-text term index', index('search_idx')],
  ])(
    'F33, Z-98: %s: rebuilt with every row, also those newer than the snapshot',
    async (_what, damage) => {
      makeDatabase(app, { rows: 2_000 });
      await bench.snapshot(['app.db']);
      query(app, (database) => {
        addNotes(database, 2_001, 2_050);
        database.exec('CREATE TABLE doomed AS SELECT * FROM notes; DROP TABLE doomed');
        database.exec('DELETE FROM tags WHERE id = 17');
      });
      const truth = contentsOf(app);
      damage();
      expect(checkDatabase(app, 'quick', { readonly: true }).ok).toBe(false);

      expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });

      expect(contentsOf(app)).toEqual(truth);
      expect(checkDatabase(app, 'full').ok).toBe(true);
      const [report] = await listReports(bench.state);
      expect(report).toMatchObject({ rung: 'reindex', snapshot: null });
      expect(report!.rows.every(({ lost, stale, filled }) => lost + stale + filled === 0)).toBe(
        true,
      );
    },
  );

  it.each(['tags', 'notes'])(
    'Z-95: is not what it is when table %s lost its tree without a trace but ownerless pages',
    async (table) => {
      makeDatabase(app);
      query(app, (database) => database.exec('CREATE TABLE empty(a, b, c, d)'));
      await bench.snapshot(['app.db']);
      const truth = contentsOf(app);
      query(app, (database) => {
        database.unsafeMode();
        database.exec(`PRAGMA writable_schema = ON;
          UPDATE sqlite_schema SET rootpage = ${rootPage(app, 'empty')} WHERE name = '${table}';
          DELETE FROM sqlite_schema WHERE name = 'empty'`);
      });
      expect(contentsOf(app)[table as 'tags' | 'notes']).toEqual([]);
      const found = checkDatabase(app, 'full', { readonly: true }).messages;
      expect(found.filter((each) => !/never used|entries in index/.test(each))).toEqual([]);

      expect(await bench.recover({ mode: 'force' })).toMatchObject({ recovered: 1 });

      expect(contentsOf(app)).toEqual(truth);
      expect(await listReports(bench.state)).toMatchObject([{ rung: 'salvage' }]);
    },
  );

  it('an index with a few entries too many costs no newer rows, but is not rebuilt without a snapshot', async () => {
    makeDatabase(app);
    const snapshot = readFileSync(app);
    query(app, (database) => addNotes(database, 601, 650));
    const root = rootPage(app, 'notes_title');
    const behindTheIndex = (sql: string): void =>
      query(app, (database) => {
        database.unsafeMode();
        database.exec(`PRAGMA foreign_keys = OFF; PRAGMA writable_schema = ON; ${sql}`);
      });
    behindTheIndex(`DELETE FROM sqlite_schema WHERE name = 'notes_title'`);
    behindTheIndex('DELETE FROM notes WHERE id = 5');
    behindTheIndex(`INSERT INTO sqlite_schema
      VALUES('index', 'notes_title', 'notes', ${root}, 'CREATE INDEX notes_title ON notes(title)')`);
    const truth = contentsOf(app);
    expect(await bench.recover({ mode: 'force' })).toMatchObject({ needsOperator: 1 });
    await bench.snapshot(['app.db'], { images: { 'app.db': snapshot } });
    utimesSync(app, 1, 1);
    rmSync(join(bench.state, 'checks.json'));
    expect(await bench.recover({ mode: 'force' })).toMatchObject({ recovered: 1 });
    expect(contentsOf(app)).toEqual(truth);
    const [report] = await listReports(bench.state);
    expect(report).toMatchObject({
      rung: 'reindex',
      reason: expect.stringContaining('1 rows lost'),
    });
  });

  it('needs no snapshot and no repository', async () => {
    makeDatabase(app);
    const truth = contentsOf(app);
    index('notes_title')();
    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });
    expect(contentsOf(app)).toEqual(truth);
  });

  it('in a dry run reports what would be installed and installs nothing', async () => {
    makeDatabase(app);
    index('notes_title')();
    const before = readFileSync(app);
    const result = await bench.recover({ dryRun: true });
    expect(result).toMatchObject({ ok: false, recovered: 0, needsOperator: 1 });
    expect(readFileSync(app).equals(before)).toBe(true);
    expect(await listReports(bench.state)).toMatchObject([{ dryRun: true, rung: 'reindex' }]);
    expect(await listQuarantine(bench.state)).toEqual([]);
    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });
  });
});

describe('a WAL that belongs to another database', () => {
  it('is left out: every row of the file itself stays, and the WAL is kept in quarantine', async () => {
    makeDatabase(app, { rows: 300, journalMode: 'wal' });
    const crashing = SqliteChild.start();
    await crashing.open(app);
    await crashing.exec(`PRAGMA wal_autocheckpoint = 0; UPDATE notes SET body = body || body || body;
      UPDATE settings SET value = value || 'long'`);
    await crashing.kill();
    const restored = bench.path('restored.db');
    makeDatabase(restored, { rows: 500, journalMode: 'wal' });
    query(restored, (database) => database.exec('DELETE FROM tags WHERE id % 3 = 0; VACUUM'));
    const truth = contentsOf(restored);
    // What a careless restore does: the main file is replaced, its old WAL stays.
    renameSync(restored, app);
    rmSync(`${app}-shm`);
    const wal = readFileSync(`${app}-wal`);

    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });

    expect(contentsOf(app)).toEqual(truth);
    expect(bench.names()).toEqual(['app.db']);
    expect(await listReports(bench.state)).toMatchObject([{ rung: 'replay', state: 'recovered' }]);
    const [kept] = await listQuarantine(bench.state);
    const member = kept!.items[0]!.members.find(({ name }) => name === 'app.db-wal')!;
    expect(readFileSync(join(bench.state, 'quarantine', kept!.id, member.stored)).equals(wal)).toBe(
      true,
    );
  });
});

describe('several databases', () => {
  it('Z-27, Z-67, Z-D8: one that cannot be repaired does not keep another from being repaired', async () => {
    makeDatabase(app);
    makeDatabase(bench.path('beyond.db'));
    zeroPage(app, rootPage(app, 'notes'));
    zeroPage(bench.path('beyond.db'), rootPage(bench.path('beyond.db'), 'notes_title'));
    const result = await bench.recover();
    expect(result.databases).toMatchObject([
      { path: app, state: 'needs-operator' },
      { path: bench.path('beyond.db'), state: 'recovered' },
    ]);
  });

  it('looks at the one that is named alone', async () => {
    makeDatabase(app);
    makeDatabase(bench.path('other.db'));
    const { databases } = await bench.recover({ databases: [app] });
    expect(databases.map(({ path }) => path)).toEqual([app]);
  });

  it('stops between databases when it is cancelled', async () => {
    makeDatabase(app);
    const controller = new AbortController();
    controller.abort(new Error('stop'));
    await expect(bench.recover({}, quietActivity(controller.signal))).rejects.toThrow('stop');
  });

  it('F31, Z-91, Z-93, Z-D33: reports a database of the snapshot that is gone, and creates none', async () => {
    makeDatabase(app);
    makeDatabase(bench.path('other.db'));
    await bench.snapshot(['app.db', 'other.db']);
    rmSync(app);
    const result = await bench.recover();
    expect(result).toMatchObject({ ok: false, needsOperator: 1 });
    expect(result.databases[0]).toMatchObject({ path: app, state: 'missing' });
    expect(bench.names()).toEqual(['other.db']);
  });
});
