import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeSteps } from '../src/migrations/testing/step-files.ts';
import { BANK_TOTAL, readBank } from './support/bank.ts';
import { type RunningDaemon, Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: an application's snapshot of any version comes back at the version of today, or stays where it is. */

const STEPS = {
  '1.0.0_notes.up.sql': "ALTER TABLE accounts ADD COLUMN note TEXT DEFAULT '';",
  '1.0.0_notes.down.sql': 'ALTER TABLE accounts DROP COLUMN note;',
  '1.1.0_sums.mjs': `
    export async function up(database) {
      database.exec('CREATE TABLE sums (total INTEGER)');
      const [{ total }] = database.all('SELECT sum(balance) AS total FROM accounts');
      database.run('INSERT INTO sums VALUES (?)', total);
    }
    export function down(database) { database.exec('DROP TABLE sums'); }`,
};

let sandbox: Sandbox;
let daemon: RunningDaemon;
let path: string;
beforeEach(async () => {
  sandbox = new Sandbox();
  path = join(sandbox.data, 'app.db');
  const directory = writeSteps(join(sandbox.root, 'steps'), STEPS);
  await sandbox.configure({
    migrations: [{ database: 'data/app.db', directory, assumeVersion: '0.0.0' }],
  });
  daemon = await sandbox.start();
});
afterEach(() => sandbox.dispose());

const versionOf = (file: string): unknown => {
  const database = new Database(file, { fileMustExist: true });
  try {
    return database.pragma('user_version', { simple: true });
  } finally {
    database.close();
  }
};

describe('migrations, by the command line', () => {
  it('F36, Z-D23: a worker that is killed inside a step leaves the database as it was, and a row that says so', async () => {
    const database = new Database(path);
    database.exec('CREATE TABLE accounts (id, balance); INSERT INTO accounts VALUES (1, 2)');
    database.close();
    const before = readFileSync(path);
    const suicide = "export function up() { process.kill(process.pid, 'SIGKILL'); }";
    writeSteps(join(sandbox.root, 'steps'), { ...STEPS, '2.0.0_killed.mjs': suicide });
    const up = await sandbox.json(['migrate', 'up', '--yes'], 1);
    expect(up['error'].code).toBe('WORKER_CRASHED');
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(sandbox.data)).toEqual(['app.db']);
    await stopChild(daemon.process, 'SIGTERM');
    await sandbox.start();
    const { items } = await sandbox.json(['migrate', 'history']);
    expect(items).toMatchObject([
      { version: '2.0.0', success: false, error: 'interrupted', installed: false },
      { version: '1.1.0', success: true },
      { version: '1.0.0', success: true },
    ]);
  }, 120_000);

  it('F36, Z-84, Z-86, Z-88: wait for a live application to be stopped, lose nothing of it, and go up and down with a daemon and without', async () => {
    const application = await sandbox.startBank(path, 'wal', 5);
    const { snapshotId } = await sandbox.json(['backup', '--wait']);
    const status = (await sandbox.json(['migrate', 'status']))['stats'];
    expect(status.databases).toMatchObject([
      { version: '0.0.0', state: 'older', newestVersion: '1.1.0' },
    ]);
    expect((await sandbox.run(['migrate', 'up', '--json'])).exitCode).toBe(2);
    expect((await sandbox.run(['migrate', 'up', '--yes'])).exitCode).toBe(11);
    await stopChild(application, 'SIGTERM');
    const before = readBank(path);

    const up = await sandbox.json(['migrate', 'up', 'app', '--yes']);
    expect(up['stats']).toMatchObject({ from: '0.0.0', to: '1.1.0', migrationsRun: 2 });
    expect(versionOf(path)).toBe(2);
    expect(readBank(path)).toEqual(before);

    const checked = await sandbox.json(['migrate', 'check', snapshotId.slice(0, 8)]);
    expect(checked['stats'].databases).toMatchObject([{ migrationsNeeded: 2, compatible: true }]);
    const restored = await sandbox.json(['restore', snapshotId, '--in-place', '--yes']);
    expect(restored['stats'].migrations).toMatchObject([{ appliedVersions: ['1.0.0', '1.1.0'] }]);
    expect(versionOf(path)).toBe(2);
    expect(readBank(path)).toMatchObject({ integrity: 'ok', total: BANK_TOTAL });

    await stopChild(daemon.process, 'SIGTERM');
    const down = await sandbox.json(['migrate', 'down', '--to', '0.0.0', '--yes']);
    expect(down['stats']).toMatchObject({ appliedVersions: ['1.1.0', '1.0.0'] });
    expect(versionOf(path)).toBe(0);
    expect((await sandbox.run(['migrate', 'pending', '--to', '1.0.0'])).stdout).toContain(
      '1.0.0_notes',
    );
    const { items } = await sandbox.json(['migrate', 'history', '--limit', '2']);
    expect(items).toMatchObject([
      { version: '1.0.0', direction: 'down', installed: true },
      { version: '1.1.0', direction: 'down', installed: true },
    ]);
  }, 120_000);
});
