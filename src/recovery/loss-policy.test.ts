import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listQuarantine } from '../files/quarantine/quarantine.ts';
import { acceptCommand, type LossPolicy, objectionTo } from './loss-policy.ts';
import type { TableRows } from './report.ts';
import { listReports } from './report-store.ts';
import {
  addNotes,
  contentsOf,
  makeDatabase,
  query,
  rootPage,
  Workbench,
  zeroPage,
} from './testing/workbench.ts';

const OPEN = { allowPartial: true, maxLossRows: null, maxSnapshotAgeMs: null };
const NOW_MS = Date.parse('2026-01-10T00:00:00.000Z');

const table = (readToEnd: boolean): TableRows => ({
  table: 't',
  readable: 10,
  readToEnd,
  total: 10,
  kept: 10,
  stale: 0,
  lost: 0,
  filled: 0,
});

const candidate = (notKept: number, readToEnd: boolean, capturedAt: string | null = null) =>
  ({
    rows: [table(readToEnd)],
    score: { notKept, missing: 0, resurrected: 0 },
    exact: false,
    snapshot: capturedAt === null ? null : { id: 'x', capturedAt },
  }) as Parameters<typeof objectionTo>[0];

describe('what policy lets be installed unasked', () => {
  it.each<[string, Partial<NonNullable<LossPolicy>>, ReturnType<typeof candidate>, RegExp | null]>([
    ['no limit, whatever is lost', {}, candidate(1000, false), null],
    [
      'lossless, whatever the limits',
      { allowPartial: false, maxLossRows: 0 },
      candidate(0, true),
      null,
    ],
    ['a known loss', { allowPartial: false }, candidate(1, true), /loses 1 rows.*allowPartial/],
    [
      'a loss that cannot be counted',
      { allowPartial: false },
      candidate(0, false),
      /at least 0 rows/,
    ],
    ['as many rows as allowed', { maxLossRows: 3 }, candidate(3, true), null],
    [
      'one more than allowed',
      { maxLossRows: 3 },
      candidate(4, true),
      /loses 4 rows.*maxLossRows is 3/,
    ],
    ['few rows, perhaps more', { maxLossRows: 3 }, candidate(2, false), /at least 2 rows/],
    [
      'a young snapshot',
      { maxSnapshotAgeMs: 86_400_000 },
      candidate(0, true, '2026-01-09T12:00:00.000Z'),
      null,
    ],
    [
      'an old snapshot',
      { maxSnapshotAgeMs: 86_400_000 },
      candidate(0, true, '2026-01-08T00:00:00.000Z'),
      /rests on a snapshot of 2026-01-08/,
    ],
    ['no snapshot at all', { maxSnapshotAgeMs: 1 }, candidate(0, true), null],
  ])('%s', (_what, limits, chosen, expected) => {
    const objection = objectionTo(chosen, false, { ...OPEN, ...limits }, NOW_MS);
    if (expected === null) expect(objection).toBeNull();
    else expect(objection).toMatch(expected);
    expect(objectionTo(chosen, false, null, NOW_MS)).toBeNull();
  });

  it('what is proven to be what was there needs nobody, however old the snapshot', () => {
    const strict = { allowPartial: false, maxLossRows: 0, maxSnapshotAgeMs: 1000 };
    const proven = { ...candidate(0, false, '2020-01-01T00:00:00.000Z'), exact: true };
    expect(objectionTo(proven, false, strict, NOW_MS)).toBeNull();
  });

  it('Z-96: where all that passed is partial, a person is asked, unless one has agreed', () => {
    expect(objectionTo(candidate(2, true), true, OPEN, NOW_MS)).toMatch(/only a partial repair/);
    expect(objectionTo(candidate(2, true), true, null, NOW_MS)).toBeNull();
  });

  it('the command survives a shell whatever the path', () => {
    expect(acceptCommand('/srv/app.db')).toBe(
      'holdfast recover --database /srv/app.db --accept-loss',
    );
    expect(acceptCommand("/srv/it's $HOME.db")).toContain(`'/srv/it'\\''s $HOME.db'`);
  });
});

describe('a repair that policy refuses', () => {
  let bench: Workbench;
  let app: string;
  beforeEach(async () => {
    bench = await Workbench.create();
    app = bench.path('app.db');
  });
  afterEach(() => bench.remove());

  const under = (limits: Partial<NonNullable<LossPolicy>>) => ({
    source: { ...bench.source, recovery: { ...bench.source.recovery, ...limits } },
  });

  /** Ten notes in no snapshot, then damage that leaves other tables readable. Returns what the snapshot has. */
  async function damage(capturedAtMs?: number) {
    makeDatabase(app);
    await bench.snapshot(['app.db'], capturedAtMs === undefined ? {} : { capturedAtMs });
    const captured = contentsOf(app);
    query(app, (database) => addNotes(database, 601, 610));
    zeroPage(app, rootPage(app, 'notes'));
    return captured;
  }

  it('Z-96: leaves the file as it is, says what could be had and how, and is installed on request alone', async () => {
    await damage();
    const damaged = readFileSync(app);
    const result = await bench.recover(under({ maxLossRows: 5 }));
    expect(result).toMatchObject({ ok: false, recovered: 0, needsOperator: 1 });
    expect(result.databases[0]?.reason).toContain('maxLossRows is 5');
    expect(readFileSync(app).equals(damaged)).toBe(true);
    const [report, ...others] = await listReports(bench.state);
    expect(others).toEqual([]);
    expect(report).toMatchObject({
      state: 'needs-operator',
      refusal: { command: acceptCommand(app), reason: expect.stringContaining('maxLossRows') },
    });
    expect(report?.rung).not.toBeNull();
    expect(report?.rows.find(({ table: name }) => name === 'tags')).toMatchObject({
      readable: 610,
    });
    expect(report?.candidates.some(({ score }) => score !== null)).toBe(true);
    expect(await listQuarantine(bench.state)).toHaveLength(1);

    // The same again is known without another attempt, and without another report.
    expect(await bench.recover(under({ maxLossRows: 5 }))).toMatchObject({ needsOperator: 1 });
    expect(await listReports(bench.state)).toHaveLength(1);

    const accepted = await bench.recover({ ...under({ maxLossRows: 5 }), acceptLoss: true });
    expect(accepted).toMatchObject({ ok: true, recovered: 1 });
    expect((await listReports(bench.state))[0]).toMatchObject({
      state: 'recovered',
      refusal: null,
    });
    expect(query(app, (database) => database.pragma('integrity_check', { simple: true }))).toBe(
      'ok',
    );
  });

  it('is tried again as soon as the policy is another one', async () => {
    await damage();
    const strict = await bench.recover(under({ allowPartial: false }));
    expect(strict).toMatchObject({ needsOperator: 1 });
    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });
  });

  it('an index is repaired under the strictest policy: nothing is lost', async () => {
    makeDatabase(app);
    await bench.snapshot(['app.db'], { capturedAtMs: Date.now() - 10 * 86_400_000 });
    query(app, (database) => addNotes(database, 601, 610));
    const before = contentsOf(app);
    zeroPage(app, rootPage(app, 'notes_title'));
    const strict = under({ allowPartial: false, maxLossRows: 0, maxSnapshotAgeMs: 1000 });
    expect(await bench.recover(strict)).toMatchObject({ ok: true, recovered: 1 });
    expect(contentsOf(app)).toEqual(before);
  });

  it('a dry run shows every candidate under the gates, and changes nothing', async () => {
    await damage();
    const damaged = readFileSync(app);
    const result = await bench.recover({ dryRun: true });
    const [database] = result.databases;
    expect(database?.rung).not.toBeNull();
    const scored = database!.candidates!.filter(({ score }) => score !== null);
    expect(scored.map(({ candidate: name }) => name)).toContain('roll-back');
    for (const { gates } of scored) {
      expect(gates.map(({ gate }) => gate)).toEqual([
        'integrity',
        'schema',
        'foreign-keys',
        'full-text',
      ]);
    }
    expect(readFileSync(app).equals(damaged)).toBe(true);
    expect(await listQuarantine(bench.state)).toEqual([]);
    expect(await bench.recover()).toMatchObject({ ok: true, recovered: 1 });
  });

  it('--from takes content of that snapshot and no other', async () => {
    makeDatabase(app);
    const old = await bench.snapshot(['app.db'], { capturedAtMs: Date.now() - 60_000 });
    query(app, (database) => addNotes(database, 601, 610));
    await bench.snapshot(['app.db']);
    zeroPage(app, 1);
    expect(await bench.recover({ from: old.slice(0, 8) })).toMatchObject({ recovered: 1 });
    const [report] = await listReports(bench.state);
    const named = report?.candidates.flatMap(({ snapshotId }) => snapshotId ?? []);
    expect(new Set(named)).toEqual(new Set([old]));
    await expect(bench.recover({ from: 'ffffffff' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
