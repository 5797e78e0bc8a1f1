import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { checkDatabase } from '../../sqlite/database-check.ts';
import { listReports } from '../report-store.ts';
import {
  addNotes,
  childPages,
  contentsOf,
  makeDatabase,
  PAGE_BYTES,
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

describe('salvage', () => {
  it('beats rolling back where it keeps newer rows, and says what it took from the snapshot', async () => {
    makeDatabase(app, { journalMode: 'wal' });
    await bench.snapshot(['app.db']);
    query(app, (database) => {
      addNotes(database, 601, 650);
      database.exec(`DELETE FROM tags WHERE note BETWEEN 100 AND 400;
        DELETE FROM notes WHERE id BETWEEN 100 AND 400; VACUUM`);
      database.pragma('wal_checkpoint(TRUNCATE)');
    });
    const before = contentsOf(app);
    zeroPage(app, childPages(app, rootPage(app, 'notes')).at(2)!);

    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });

    expect(contentsOf(app)).toEqual(before);
    expect(query(app, (database) => database.pragma('journal_mode', { simple: true }))).toBe('wal');
    expect(bench.names()).toEqual(['app.db']);
    const [report] = await listReports(bench.state);
    expect(report).toMatchObject({ rung: 'salvage' });
    const notes = report?.salvage?.tables.find(({ table }) => table === 'notes');
    expect(notes?.inPlace).toBeGreaterThan(200);
    expect(notes?.filled).toBeGreaterThan(10);
    expect(report?.salvage?.filledSample).toHaveLength(notes!.filled);
    const passed = report!.candidates.filter(({ score }) => score !== null);
    expect(passed.map(({ candidate }) => candidate)).toContain('roll-back');
    for (const { gates } of passed) expect(gates.every(({ ok }) => ok)).toBe(true);
  });

  it('reads the rows of the WAL too, which no snapshot has', async () => {
    makeDatabase(app, { journalMode: 'wal', rows: 300 });
    await bench.snapshot(['app.db']);
    const leaf = childPages(app, rootPage(app, 'notes'))[1]!;
    const writer = query(app, (database) => {
      database.pragma('wal_autocheckpoint = 0');
      addNotes(database, 301, 320);
      return { main: readFileSync(app), wal: readFileSync(`${app}-wal`) };
    });
    const before = contentsOf(app);
    writeFileSync(app, writer.main.fill(0, (leaf - 1) * PAGE_BYTES, leaf * PAGE_BYTES));
    writeFileSync(`${app}-wal`, writer.wal);

    expect(await bench.recover()).toMatchObject({ recovered: 1 });
    expect(contentsOf(app)).toEqual(before);
  });

  it.each([333, 1_001, 9_999])(
    'a file cut short by %i bytes is sound again, and loses only its end',
    async (bytes) => {
      makeDatabase(app);
      await bench.snapshot(['app.db']);
      query(app, (database) => addNotes(database, 601, 620));
      truncateSync(app, readFileSync(app).length - bytes);
      expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });
      expect(checkDatabase(app, 'full').ok).toBe(true);
      expect(contentsOf(app).notes.length).toBeGreaterThanOrEqual(600);
    },
  );

  it('stops when it is cancelled, and leaves the database as it was', async () => {
    makeDatabase(app, { rows: 6_000 });
    await bench.snapshot(['app.db']);
    query(app, (database) => addNotes(database, 6_001, 6_010));
    zeroPage(app, rootPage(app, 'notes'));
    const damaged = readFileSync(app);
    const controller = new AbortController();
    const activity = {
      ...quietActivity(controller.signal),
      progress({ phase }: { phase?: string }) {
        if (phase === 'salvage: notes') controller.abort();
      },
    };
    await expect(bench.recover({}, activity)).rejects.toThrow();
    expect(readFileSync(app).equals(damaged)).toBe(true);
    expect(bench.names()).toEqual(['app.db']);
  });
});
