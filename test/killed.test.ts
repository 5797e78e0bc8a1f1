import { readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RpcClient } from '../src/rpc/client.ts';
import { finished, snapshot, succeeded } from './support/jobs.ts';
import { runSeed, seededRandom } from './support/random.ts';
import { type RunningDaemon, Sandbox } from './support/sandbox.ts';
import { filesIn, treeHashes } from './support/tree.ts';

/**
 * Promise: killed anywhere, by SIGKILL, the old state or the new one is there, never a mixture.
 * A sample in the gate; `npm run test:crash` runs a hundred moments of each.
 */

const MOMENTS = Number(process.env['HOLDFAST_TEST_MOMENTS'] ?? 6);
const seed = runSeed();

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
});
afterEach(() => sandbox.dispose());

/** A database of about 24 MB that compresses badly, so that a capture takes long enough to be hit. */
function makeDatabase(path: string): void {
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  database.exec(`
    CREATE TABLE notes (id INTEGER PRIMARY KEY, body BLOB);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
    INSERT INTO notes SELECT i, randomblob(4000) FROM n;
  `);
  database.close();
}

function rewrite(path: string, share: number): void {
  const database = new Database(path);
  database.exec(`UPDATE notes SET body = randomblob(4000) WHERE abs(random() % 100) < ${share}`);
  database.close();
}

function delay(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

interface Victim {
  daemon: RunningDaemon;
  client: RpcClient;
}

async function startVictim(): Promise<Victim> {
  const daemon = await sandbox.start();
  return { daemon, client: await sandbox.client() };
}

/** The daemon finishes by itself what a killed worker left half done. */
async function cleanedUpAfter(client: RpcClient, jobId: string): Promise<void> {
  for (;;) {
    const { items } = await client.call('job.list', { kind: 'reconcile' });
    const job = items.find(({ params }) => params['afterJob'] === jobId);
    if (job !== undefined) {
      succeeded(await finished(client, job.id));
      return;
    }
  }
}

/** Ends the daemon or the worker of `jobId`, whichever was drawn; returns a live daemon. */
async function strike(victim: Victim, jobId: string, hitWorker: boolean): Promise<Victim> {
  if (hitWorker) {
    const { workerPid } = await victim.client.call('job.get', { id: jobId });
    if (workerPid !== null && workerPid !== undefined) {
      try {
        process.kill(workerPid, 'SIGKILL');
      } catch {
        // It had just ended.
      }
    }
    const job = await finished(victim.client, jobId);
    if (job.error?.code === 'WORKER_CRASHED') await cleanedUpAfter(victim.client, jobId);
    return victim;
  }
  victim.daemon.process.kill('SIGKILL');
  await victim.daemon.ended;
  return startVictim();
}

async function expectEverySnapshotVerifies({ client }: Victim, deep: boolean): Promise<number> {
  const { items } = await client.call('snapshot.list', { limit: 1000 });
  if (items.length === 0) return 0;
  const { job } = await client.call('snapshot.verify', { snapshots: 'all', deep });
  const result = succeeded(await finished(client, job.id));
  expect(result['verified'].every((each: { ok: boolean }) => each.ok)).toBe(true);
  return items.length;
}

function expectNoLeftovers(): void {
  expect(filesIn(join(sandbox.repository, 'tmp'))).toEqual([]);
  expect(filesIn(join(sandbox.state, 'scratch'))).toEqual([]);
  const swaps = filesIn(join(sandbox.state, 'swaps'));
  expect(swaps.filter((name) => !name.startsWith('lock.db'))).toEqual([]);
  const strays = readdirSync(sandbox.root).filter(
    (name) => !['data', 'state', 'repository', 'run', 'holdfast.json'].includes(name),
  );
  expect(strays).toEqual([]);
}

describe('SIGKILL at random moments', () => {
  it(`T-D4: of ${MOMENTS} backups: every listed snapshot verifies, nothing is left over`, async () => {
    const random = seededRandom(seed);
    const path = join(sandbox.data, 'app.db');
    makeDatabase(path);
    let victim = await startVictim();
    await snapshot(victim.client);
    for (let moment = 0; moment < MOMENTS; moment++) {
      rewrite(path, 40);
      const { job } = await victim.client.call('snapshot.create', {});
      await delay(random() * 700);
      victim = await strike(victim, job.id, random() < 0.5);
      await expectEverySnapshotVerifies(victim, moment % 5 === 4);
    }
    // And the next one succeeds as if nothing had happened; writing it cleans up after the killed ones.
    await snapshot(victim.client);
    expect(await expectEverySnapshotVerifies(victim, true)).toBeGreaterThan(1);
    expectNoLeftovers();
  });

  it(`of ${MOMENTS} in-place restores: the target is the old tree or the new one`, async () => {
    const random = seededRandom(seed + 1);
    const path = join(sandbox.data, 'app.db');
    makeDatabase(path);
    await writeFile(join(sandbox.data, 'settings.txt'), 'first');
    let victim = await startVictim();
    const first = await snapshot(victim.client);
    const firstTree = treeHashes(sandbox.data);
    rewrite(path, 50);
    await writeFile(join(sandbox.data, 'settings.txt'), 'second');
    const second = await snapshot(victim.client);
    const secondTree = treeHashes(sandbox.data);

    let presentTree = secondTree;
    const outcomes = new Set<string>();
    for (let moment = 0; moment < MOMENTS; moment++) {
      const toFirst = presentTree === secondTree;
      const { job } = await victim.client.call('restore.run', {
        snapshotId: (toFirst ? first : second)['snapshotId'],
        target: { type: 'in-place' },
        checkpoint: false,
        confirm: 'app',
        replaceDatabases: true,
      });
      await delay(random() * 900);
      victim = await strike(victim, job.id, random() < 0.5);
      const tree = treeHashes(sandbox.data);
      const isFirst = JSON.stringify(tree) === JSON.stringify(firstTree);
      if (!isFirst) expect(tree).toEqual(secondTree);
      outcomes.add(isFirst === toFirst ? 'new' : 'old');
      presentTree = isFirst ? firstTree : secondTree;
      expectNoLeftovers();
    }
    expect(outcomes.size).toBeGreaterThan(0);
    await expectEverySnapshotVerifies(victim, true);
  });
});
