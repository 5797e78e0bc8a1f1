import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testSettings } from '../config/testing/settings.ts';
import { type Activity, quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { makeDatabase, query, Workbench } from '../recovery/testing/workbench.ts';
import { diff } from './diff.ts';

let bench: Workbench;

beforeEach(async () => {
  bench = await Workbench.create();
  await mkdir(join(bench.state, 'scratch'));
});
afterEach(() => bench.remove());

function run(before: string, after: string, activity: Activity = quietActivity()) {
  const context = {
    activity,
    settings: testSettings(bench.directory, {
      stateDirectory: bench.state,
      repositoryDirectory: bench.repository,
    }),
    clock: systemClock,
    jobId: 'job',
    scratchDirectory: join(bench.state, 'scratch'),
  };
  return diff.run(context, { before, after, databases: true });
}

describe('diff', () => {
  it('F53, M-60: files, and of every changed database the schema and the rows', async () => {
    makeDatabase(bench.path('app.db'));
    makeDatabase(bench.path('same.db'));
    const before = await bench.snapshot(['app.db', 'same.db'], { capturedAtMs: 1_800_000_000_000 });
    query(bench.path('app.db'), (database) => {
      database.exec('PRAGMA foreign_keys = OFF; DELETE FROM notes WHERE id % 3 = 0');
      database.exec('CREATE TABLE added (a); INSERT INTO added VALUES (1)');
      database.exec('CREATE VIEW seen AS SELECT a FROM added');
      database.exec('DROP TABLE tags');
    });
    makeDatabase(bench.path('new.db'));
    const after = await bench.snapshot(['app.db', 'new.db', 'same.db']);
    const lines: string[] = [];
    const activity = { ...quietActivity(), log: (line: string) => lines.push(line) };
    const result = await run(before.slice(0, 8), after, activity as Activity);
    expect(result).toMatchObject({
      before,
      after,
      files: {
        counts: { added: 1, removed: 0, content: 1, type: 0, metadata: 0 },
        items: [
          { path: 'data/app.db', change: 'content', type: 'database' },
          { path: 'data/new.db', change: 'added', bytesBefore: null },
        ],
        truncated: false,
      },
    });
    const [app, added] = result['databases'] as { schema: unknown; tables: unknown }[];
    expect(app).toMatchObject({
      path: 'data/app.db',
      skipped: null,
      schema: { added: ['table added', 'view seen'], changed: [] },
    });
    expect(app!.schema).toMatchObject({ removed: expect.arrayContaining(['table tags']) });
    expect(app!.tables).toEqual(
      expect.arrayContaining([
        { name: 'added', rowsBefore: null, rowsAfter: 1 },
        { name: 'notes', rowsBefore: 600, rowsAfter: 400 },
      ]),
    );
    expect(added).toMatchObject({ path: 'data/new.db', schema: { removed: [] } });
    // M-60: the same as JSON lines, for who follows the job.
    expect(lines.map((line) => (JSON.parse(line) as { path: string }).path)).toEqual([
      'data/app.db',
      'data/new.db',
      'data/app.db',
      'data/new.db',
    ]);
  });

  it('M-50: a snapshot is not compared with itself', async () => {
    makeDatabase(bench.path('app.db'));
    const id = await bench.snapshot(['app.db']);
    await expect(run(id, 'latest')).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
  });

  it('views and triggers of a hostile schema are not run', async () => {
    makeDatabase(bench.path('app.db'));
    const before = await bench.snapshot(['app.db'], { capturedAtMs: 1_800_000_000_000 });
    query(bench.path('app.db'), (database) => {
      database.exec(
        'CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n',
      );
    });
    const after = await bench.snapshot(['app.db']);
    const { databases } = (await run(before, after)) as { databases: { schema: unknown }[] };
    expect(databases[0]!.schema).toMatchObject({ added: ['view endless'] });
  });
});
