import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../kernel/activity.ts';
import { checkDatabase } from '../sqlite/database-check.ts';
import { listReports } from './report-store.ts';
import {
  addNotes,
  childPages,
  contentsOf,
  makeDatabase,
  overwrite,
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
  makeDatabase(app, { rows: 3_000 });
  await bench.snapshot(['app.db']);
});
afterEach(() => bench.remove());

const leavesOf = (name: string): number[] => childPages(app, rootPage(app, name));
const lastReport = async () => (await listReports(bench.state, { limit: 1 }))[0]!;

describe('a few damaged leaf pages of a database written to since its snapshot', () => {
  it('are taken from the snapshot alone: one candidate, every other row kept, checked in full', async () => {
    query(app, (database) => addNotes(database, 3_001, 3_030));
    const truth = contentsOf(app);
    const tags = leavesOf('tags');
    for (const page of leavesOf('notes').slice(3, 6)) zeroPage(app, page);
    overwrite(app, (tags[1]! - 1) * 4096, Buffer.alloc(4096, 0xee));

    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });

    expect(contentsOf(app)).toEqual(truth);
    expect(checkDatabase(app, 'full').ok).toBe(true);
    const report = await lastReport();
    expect(report).toMatchObject({ rung: 'heal', quarantineId: expect.any(String) });
    expect(report.candidates).toHaveLength(1);
    expect(report.candidates[0]!.gates.map(({ gate }) => gate)).toContain('integrity');
    const rows = Object.fromEntries(report.rows.map((each) => [each.table, each]));
    expect(rows['notes']).toMatchObject({ total: 3_030, readToEnd: false, lost: 0 });
    expect(rows['notes']!.kept + rows['notes']!.filled).toBe(3_030);
    expect(rows['settings']).toMatchObject({ total: 3_030, kept: 3_030, readToEnd: true });
  });

  it('a stale page of an index is no reason for the long way: the index is built again', async () => {
    query(app, (database) => addNotes(database, 3_001, 3_040));
    const truth = contentsOf(app);
    zeroPage(app, leavesOf('notes_title')[2]!);
    zeroPage(app, leavesOf('notes')[3]!);
    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });
    expect(contentsOf(app)).toEqual(truth);
    const { reason, candidates } = await lastReport();
    expect(reason).toContain('rebuilt: notes_title');
    expect(candidates).toHaveLength(1);
  });

  it('where an index tells of rows that the snapshot does not have, all candidates are weighed', async () => {
    query(app, (database) => addNotes(database, 3_001, 3_030));
    // The last leaf is where the new rows went.
    zeroPage(app, leavesOf('notes').at(-1)!);
    await bench.recover();
    expect((await lastReport()).candidates.length).toBeGreaterThan(1);
  });

  it('a page of which rows can still be read is left to salvage', async () => {
    query(app, (database) => database.exec(`UPDATE notes SET body = 'newer' WHERE id < 2000`));
    const page = leavesOf('notes')[3]!;
    overwrite(app, (page - 1) * 4096 + 8, Buffer.from([0xff, 0xff]));
    expect(checkDatabase(app, 'quick', { readonly: true }).ok).toBe(false);
    await bench.recover({ acceptLoss: true });
    const { candidates } = await lastReport();
    expect(candidates.length).toBeGreaterThan(1);
    expect(
      query(app, (database) =>
        database.prepare(`SELECT count(*) FROM notes WHERE body = 'newer'`).pluck().get(),
      ),
    ).toBeGreaterThan(1_950);
  });

  it('never costs a row that is on another page, whatever was written since', async () => {
    const before = readFileSync(app);
    const kinds = ['notes', 'tags', 'settings', 'notes_title'] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('delete', 'update', 'insert'), fc.nat(2_900)), {
          maxLength: 12,
        }),
        fc.array(fc.tuple(fc.constantFrom(...kinds), fc.nat(1_000)), {
          minLength: 1,
          maxLength: 4,
        }),
        async (writes, damage) => {
          overwrite(app, 0, before);
          query(app, (database) => {
            for (const [write, id] of writes) {
              if (write === 'delete') database.prepare('DELETE FROM tags WHERE id = ?').run(id);
              if (write === 'update')
                database.prepare('UPDATE settings SET value = -1 WHERE value = ?').run(id);
              if (write === 'insert')
                database.prepare('INSERT INTO tags(note, tag) VALUES(?, ?)').run(1, `new ${id}`);
            }
          });
          const truth = contentsOf(app);
          const pages = damage.map(([name, place]) => {
            const leaves = leavesOf(name);
            return leaves[place % leaves.length]!;
          });
          for (const page of pages) zeroPage(app, page);
          await bench.recover({ mode: 'force', acceptLoss: true }, quietActivity());
          expect(checkDatabase(app, 'full').ok).toBe(true);
          const now = contentsOf(app);
          for (const table of ['notes', 'tags', 'settings'] as const) {
            const wrong = differing(truth[table], now[table]);
            // What was written since and lay on a damaged page is gone; nothing else may be.
            expect(wrong).toBeLessThanOrEqual(writes.length * 2);
          }
        },
      ),
      { numRuns: 8, seed: 77 },
    );
  });
});

function differing(truth: readonly unknown[], found: readonly unknown[]): number {
  const known = new Set(truth.map((row) => JSON.stringify(row)));
  const there = new Set(found.map((row) => JSON.stringify(row)));
  const lost = [...known].filter((row) => !there.has(row)).length;
  const strange = [...there].filter((row) => !known.has(row)).length;
  return Math.max(lost, strange);
}
