import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listQuarantine, quarantineFamilyByCopy } from '../files/quarantine/quarantine.ts';
import { quietActivity } from '../kernel/activity.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import {
  addNotes,
  makeDatabase,
  query,
  rootPage,
  Workbench,
  zeroPage,
} from './testing/workbench.ts';
import { tidyQuarantine } from './tidy-quarantine.ts';

const DAY_MS = 86_400_000;
const NOTHING = { maxCount: 0, maxAgeMs: null, minFreeBytes: 0 };

let bench: Workbench;
let app: string;
beforeEach(async () => {
  bench = await Workbench.create();
  app = bench.path('app.db');
  makeDatabase(app);
});
afterEach(() => bench.remove());

const inDays = (days: number): Clock => ({
  ...systemClock,
  nowMs: () => systemClock.nowMs() + days * DAY_MS,
});
const tidy = () => tidyQuarantine(bench.state, NOTHING, inDays(1));

describe('tidying the quarantine', () => {
  it('lets go of originals whose every row was saved', async () => {
    zeroPage(app, rootPage(app, 'notes_title'));
    expect(await bench.recover()).toMatchObject({ recovered: 1 });
    const [kept] = await listQuarantine(bench.state);
    expect(await tidyQuarantine(bench.state, NOTHING, systemClock)).toEqual([]);
    expect(await tidy()).toEqual([kept!.id]);
    expect(await listQuarantine(bench.state)).toEqual([]);
  });

  it('F34, Z-D14: keeps the damaged file of a repair that lost rows', async () => {
    await bench.snapshot(['app.db']);
    query(app, (database) => addNotes(database, 601, 605));
    zeroPage(app, 1);
    zeroPage(app, 2);
    expect(await bench.recover({ acceptLoss: true })).toMatchObject({ recovered: 1 });
    expect(await tidy()).toEqual([]);
    expect(await listQuarantine(bench.state)).toHaveLength(1);
  });

  it('keeps everything of a database that waits for a person', async () => {
    const about = {
      stateDirectory: bench.state,
      target: app,
      reason: 'restore',
      note: '',
    } as const;
    const ids = { jobId: null, sourceId: null };
    await quarantineFamilyByCopy({ ...about, ...ids }, systemClock, quietActivity());
    zeroPage(app, rootPage(app, 'notes'));
    expect(await bench.recover({ mode: 'check-only' })).toMatchObject({ needsOperator: 1 });
    expect(await tidy()).toEqual([]);
    expect(await listQuarantine(bench.state)).toHaveLength(1);
  });
});
