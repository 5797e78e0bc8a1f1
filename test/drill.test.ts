import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { snapshot } from './support/jobs.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: it is known, not hoped, that snapshots come back; the age of the last proof is told. */

const ASSERTION = {
  name: 'the note is there',
  database: 'data/app.db',
  sql: "SELECT 1 FROM notes WHERE body = 'kept'",
  expect: 'rows',
};

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure({ assertions: [ASSERTION] });
  const database = new Database(join(sandbox.data, 'app.db'));
  database.exec("CREATE TABLE notes (body); INSERT INTO notes VALUES ('kept')");
  database.close();
});
afterEach(() => sandbox.dispose());

const change = (sql: string): void => {
  const database = new Database(join(sandbox.data, 'app.db'));
  database.exec(sql);
  database.close();
};

describe('drills', () => {
  it('F23: prove the newest good snapshot, are remembered with it, and say so when it does not hold', async () => {
    const daemon = await sandbox.start();
    const client = await sandbox.client();
    expect((await sandbox.json(['drill', '--list']))['items']).toEqual([]);
    expect((await client.call('source.list', {})).items[0]).toMatchObject({
      lastDrillAt: null,
      lastDrillOk: null,
      lastKnownGood: null,
    });
    const { snapshotId: proven, capturedAt } = await snapshot(client);
    const held = await sandbox.json(['drill', 'app']);
    expect(held).toMatchObject({ kind: 'drill', status: 'succeeded', exitCode: 0 });
    expect(held['stats'].drills[0]).toMatchObject({
      snapshotId: proven,
      databases: 1,
      ok: true,
      restoreMs: expect.any(Number),
      durationMs: expect.any(Number),
      assertions: [{ name: 'the note is there', message: null }],
    });

    change('DELETE FROM notes');
    const { snapshotId: emptied } = await snapshot(client);
    const failed = await sandbox.json(['drill'], 12);
    expect(failed['error'].message).toContain('the note is there');
    const { items } = await sandbox.json(['drill', '--list']);
    expect(items).toMatchObject([
      { snapshotId: emptied, ok: false },
      { snapshotId: proven, ok: true, findings: [] },
    ]);
    expect((await client.call('source.list', {})).items[0]).toMatchObject({
      lastDrillAt: items[0].at,
      lastDrillOk: false,
      lastKnownGood: { id: proven, at: capturedAt },
    });
    const { sources } = await client.call('health.report', {});
    expect(sources[0]).toMatchObject({ lastDrillOk: false });
    expect(sources[0]!.warnings.map(({ code }) => code)).toContain('DRILL_FAILED');
    const shown = (await sandbox.run(['status'])).stdout;
    expect(shown).toMatch(/DRILL/);
    expect(shown).toMatch(/failed \S+/);
    expect(readdirSync(join(sandbox.state, 'scratch'))).toEqual([]);
    expect(readdirSync(sandbox.data)).toEqual(['app.db']);

    await stopChild(daemon.process, 'SIGTERM');
    change("INSERT INTO notes VALUES ('kept')");
    expect(await sandbox.json(['backup'])).toMatchObject({ exitCode: 0 });
    const alone = await sandbox.run(['drill']);
    expect(alone.exitCode, alone.stderr).toBe(0);
    expect(alone.stdout).toMatch(/^Snapshot [0-9a-f]{8} of app restores: .*1 database checked/);
    expect((await sandbox.json(['drill', '--list']))['items']).toHaveLength(3);
  });

  it('F23: are held by the clock', async () => {
    await sandbox.configure({
      assertions: [ASSERTION],
      schedules: [{ kind: 'drill', trigger: { type: 'interval', intervalMs: '1s' } }],
    });
    expect(await sandbox.json(['backup'])).toMatchObject({ exitCode: 0 });
    await sandbox.start();
    const client = await sandbox.client();
    for (;;) {
      const { items } = await client.call('job.list', { kind: 'drill', status: ['succeeded'] });
      if (items.length === 0) continue;
      expect(items[0]).toMatchObject({ actor: 'schedule', sourceId: 'app', exitCode: 0 });
      break;
    }
    expect((await client.call('drill.list', { sourceId: 'app' })).items[0]).toMatchObject({
      ok: true,
    });
  });

  it('Z-90: that never end are ended: an assertion cannot hold the daemon up', async () => {
    const endless =
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n';
    await sandbox.configure(
      { assertions: [{ ...ASSERTION, sql: endless }] },
      { worker: { jobDeadlineMs: '4s' } },
    );
    await sandbox.start();
    await snapshot(await sandbox.client());
    expect(await sandbox.json(['drill'], 1)).toMatchObject({ error: { code: 'TIMEOUT' } });
    expect((await sandbox.run(['health', 'live'])).exitCode).toBe(0);
  });
});
