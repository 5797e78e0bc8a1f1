import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RpcClient } from '../src/rpc/client.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: a change is captured soon after it ends, once; where nothing changes, nothing is done. */

const QUIET_MS = 1000;
/** Ten times as long as anything here takes to notice a change; `npm run test:live` waits a minute. */
const IDLE_MS = Number(process.env['HOLDFAST_TEST_IDLE_SECONDS'] ?? 20) * 1_000;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure({
    watch: {
      enabled: true,
      quietMs: `${QUIET_MS}ms`,
      minGapMs: '1s',
      maxWaitMs: '30s',
      pollMs: '2s',
    },
  });
  const database = new Database(join(sandbox.data, 'app.db'));
  database.pragma('journal_mode = WAL');
  database.exec('CREATE TABLE notes (body)');
  database.close();
});
afterEach(() => sandbox.dispose());

async function snapshots(client: RpcClient): Promise<number> {
  return (await client.call('snapshot.list', { limit: 1000 })).items.length;
}

/** Resolves with the time of the next finished backup. */
async function nextBackup(client: RpcClient): Promise<{ atMs: number; origin: unknown }> {
  for await (const event of await client.subscribe({ types: ['job.changed'] })) {
    if (event.type !== 'job.changed' || event.job.kind !== 'backup') continue;
    if (event.job.status !== 'succeeded') continue;
    return { atMs: performance.now(), origin: event.job.params['origin'] };
  }
  throw new Error('The daemon closed the connection');
}

async function startCaptured(): Promise<RpcClient> {
  // What the daemon finds at its first start is a change as well: no snapshot holds it yet.
  const daemon = await sandbox.start();
  await daemon.logged('snapshot taken');
  return sandbox.client();
}

describe('changes', () => {
  it('F41, Z-65, Z-08: a burst of writes becomes one snapshot no later than quiet + 2 s after it ends; idle time makes none', async () => {
    const client = await startCaptured();
    const before = await snapshots(client);
    const backup = nextBackup(client);
    const database = new Database(join(sandbox.data, 'app.db'));
    const insert = database.prepare('INSERT INTO notes VALUES (?)');
    const burstEnd = performance.now() + 500;
    while (performance.now() < burstEnd) insert.run('in the burst');
    const endedMs = performance.now();
    const { atMs, origin } = await backup;
    expect(origin).toBe('change');
    expect(atMs - endedMs).toBeLessThan(QUIET_MS + 2000);

    // The application stays, idle, with its database open. Absence can only be waited for.
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    expect(await snapshots(client)).toBe(before + 1);
    database.close();
  });

  it('F41, Z-63: a write while the daemon was down makes one snapshot at its next start', async () => {
    const first = await sandbox.start();
    await first.logged('snapshot taken');
    const before = await snapshots(await sandbox.client());
    await stopChild(first.process, 'SIGTERM');
    const database = new Database(join(sandbox.data, 'app.db'));
    database.exec("INSERT INTO notes VALUES ('while it was down')");
    database.close();
    const second = await sandbox.start();
    await second.logged('snapshot taken');
    const client = await sandbox.client();
    expect(await snapshots(client)).toBe(before + 1);
    await stopChild(second.process, 'SIGTERM');

    // And a start after which nothing had changed makes none: the poll has long come round by then.
    const third = await sandbox.start();
    await new Promise((resolve) => setTimeout(resolve, 5000));
    expect(third.log.filter((line) => line['msg'] === 'snapshot taken')).toEqual([]);
  });

  it('are noticed by polling where there are no events, and status says so', async () => {
    await sandbox.configure({
      watch: {
        enabled: true,
        quietMs: '200ms',
        minGapMs: '500ms',
        maxWaitMs: '30s',
        pollMs: '500ms',
        usePolling: true,
      },
    });
    const client = await startCaptured();
    const { sources } = await client.call('daemon.status', {});
    expect(sources[0]!.watch.mode).toBe('polling');
    expect(sources[0]!.watch.reason).not.toBeNull();
    const backup = nextBackup(client);
    await mkdir(join(sandbox.data, 'new/folder'), { recursive: true });
    writeFileSync(join(sandbox.data, 'new/folder/file.txt'), 'a change');
    expect((await backup).origin).toBe('change');
  });
});
