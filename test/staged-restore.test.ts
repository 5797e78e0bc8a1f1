import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RpcClient } from '../src/rpc/client.ts';
import { finished, snapshot, succeeded } from './support/jobs.ts';
import { type RunningDaemon, Sandbox, stopChild } from './support/sandbox.ts';
import { treeHashes } from './support/tree.ts';

/** Promise: a restore that cannot be made now waits, whole and checked, and is made before anything opens the data. */

let sandbox: Sandbox;
let daemon: RunningDaemon;
let client: RpcClient;
let first: Record<string, string>;
let snapshotId: string;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
  const database = new Database(join(sandbox.data, 'app.db'));
  database.pragma('journal_mode = WAL');
  database.exec("CREATE TABLE notes (body); INSERT INTO notes VALUES ('first')");
  database.close();
  await writeFile(join(sandbox.data, 'a.txt'), 'first');
  daemon = await sandbox.start();
  client = await sandbox.client();
  first = treeHashes(sandbox.data);
  snapshotId = (await snapshot(client))['snapshotId'];
  const second = new Database(join(sandbox.data, 'app.db'));
  second.exec("INSERT INTO notes VALUES ('second')");
  second.close();
  writeFileSync(join(sandbox.data, 'a.txt'), 'second');
});
afterEach(() => sandbox.dispose());

async function stage(options: object = {}): Promise<string> {
  const { job } = await client.call('restore.stage', {
    snapshotId,
    confirm: 'app',
    replaceDatabases: true,
    ...options,
  });
  return succeeded(await finished(client, job.id))['pendingId'];
}

async function restart(): Promise<void> {
  await stopChild(daemon.process, 'SIGTERM');
  daemon = await sandbox.start();
  client = await sandbox.client();
}

describe('a staged restore', () => {
  it('Z-60, Z-74, Z-75, Z-77, F29: changes nothing until the next start, and is in place before the daemon is ready', async () => {
    const second = treeHashes(sandbox.data);
    const id = await stage();
    expect(treeHashes(sandbox.data)).toEqual(second);
    const { items } = await client.call('restore.pending', {});
    expect(items).toMatchObject([{ id, sourceId: 'app', state: 'staged', attempts: 0 }]);
    await restart();
    expect(treeHashes(sandbox.data)).toEqual(first);
    expect((await client.call('restore.pending', {})).items).toEqual([]);
    const { items: snapshots } = await client.call('snapshot.list', {});
    expect(snapshots.map(({ origin }) => origin)).toEqual(['pre-restore', 'manual']);
  });

  it('Z-D18, F03: that fails twice is left, shown in status, and the daemon starts on the old data', async () => {
    const second = treeHashes(sandbox.data);
    const id = await stage();
    // The copy that the safety snapshot would be made of cannot be written.
    await rm(sandbox.repository, { recursive: true });
    await writeFile(sandbox.repository, 'in the way');
    await restart();
    expect((await client.call('restore.pending', {})).items).toMatchObject([
      { id, state: 'staged', attempts: 1 },
    ]);
    await restart();
    const status = await client.call('daemon.status', {});
    expect(status.warnings.map(({ code }) => code)).toContain('STAGED_RESTORE_FAILED');
    expect(treeHashes(sandbox.data)).toEqual(second);
    await client.call('restore.cancel', { id });
    expect((await client.call('restore.pending', {})).items).toEqual([]);
  });

  it('F29: is applied by command once the application has stopped, with the daemon down as well', async () => {
    const path = join(sandbox.data, 'app.db');
    const application = await sandbox.startBank(path, 'wal', 3);
    const id = await stage();
    const busy = await sandbox.run(['restore', 'apply', id, '--yes']);
    expect(busy.exitCode, busy.stderr).toBe(11);
    application.kill('SIGTERM');
    await once(application, 'exit');
    await stopChild(daemon.process, 'SIGTERM');
    const pending = await sandbox.json(['restore', 'pending']);
    expect(pending['items']).toMatchObject([{ id, attempts: 0 }]);
    await sandbox.json(['restore', 'apply', id, '--yes']);
    expect(readFileSync(join(sandbox.data, 'a.txt'), 'utf8')).toBe('first');
    expect(treeHashes(sandbox.data)).toEqual(first);
  });

  it('Z-60, F29: is staged without a daemon, and put in place by the gate before the application', async () => {
    await stopChild(daemon.process, 'SIGTERM');
    const second = treeHashes(sandbox.data);
    const staged = ['restore', snapshotId, '--stage', '--yes'];
    await sandbox.json(staged);
    const refused = await sandbox.json(staged, 11);
    expect(refused['error']).toMatchObject({ code: 'ALREADY_PENDING' });
    expect(treeHashes(sandbox.data)).toEqual(second);
    const gate = await sandbox.run(['recover', '--if-needed']);
    expect(gate.exitCode, gate.stderr).toBe(0);
    expect(treeHashes(sandbox.data)).toEqual(first);
  });
});
