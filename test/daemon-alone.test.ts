import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { finished } from './support/jobs.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promises about the daemon's own process: it answers while workers work, it is alone, it outlives its workers. */

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
});
afterEach(() => sandbox.dispose());

function makeGigabyte(path: string): void {
  const database = new Database(path);
  database.pragma('page_size = 65536');
  database.pragma('synchronous = OFF');
  database.exec(`
    CREATE TABLE blobs (id INTEGER PRIMARY KEY, body BLOB);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    INSERT INTO blobs SELECT i, randomblob(1024 * 1024) FROM n;
  `);
  database.close();
}

describe('the daemon', () => {
  it('F03, Z-D26: answers status within 50 ms while a 1 GB database is captured', async () => {
    makeGigabyte(join(sandbox.data, 'big.db'));
    await sandbox.start();
    const client = await sandbox.client();
    const { job } = await client.call('snapshot.create', {});
    const timesMs: number[] = [];
    let done = false;
    const end = finished(client, job.id).finally(() => {
      done = true;
    });
    while (!done) {
      const start = performance.now();
      await client.call('daemon.status', {});
      timesMs.push(performance.now() - start);
    }
    expect((await end).status).toBe('succeeded');
    expect(timesMs.length).toBeGreaterThan(100);
    timesMs.sort((left, right) => left - right);
    // The promise is 50 ms for an answer; a machine that stalls us now and then is not the daemon's doing.
    expect(timesMs[Math.floor(timesMs.length * 0.99)]).toBeLessThan(50);
  });

  it('is alone on its state directory: a second one refuses and names the first', async () => {
    await sandbox.start();
    const { pid } = await (await sandbox.client()).call('daemon.status', {});
    const second = await sandbox.run(['daemon']);
    expect(second.exitCode).toBe(11);
    expect(second.stderr + second.stdout).toContain(`process ${pid}`);
    // The first has lost nothing by it.
    expect((await (await sandbox.client()).call('daemon.ping', {})).pid).toBe(pid);
  });

  it('outlives a worker that is killed: the job fails with its reason, the next one succeeds', async () => {
    const database = new Database(join(sandbox.data, 'app.db'));
    database.exec(`
      CREATE TABLE blobs (body);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
      INSERT INTO blobs SELECT randomblob(1024 * 1024) FROM n;
    `);
    database.close();
    await sandbox.start();
    const client = await sandbox.client();
    const events = await client.subscribe({ types: ['job.progress'] });
    const { job } = await client.call('snapshot.create', {});
    for await (const event of events) {
      if (event.type === 'job.progress' && event.jobId === job.id) break;
    }
    process.kill((await client.call('job.get', { id: job.id })).workerPid!, 'SIGKILL');
    const failed = await finished(client, job.id);
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'WORKER_CRASHED' } });
    expect(failed.error?.message).toContain('SIGKILL');
    const next = await client.call('snapshot.create', {});
    expect((await finished(client, next.job.id)).status).toBe('succeeded');
  });

  it('F47, M-38, M-D13, Z-D25: marks a job that its own end interrupted, and cancels cleanly on request', async () => {
    makeGigabyte(join(sandbox.data, 'big.db'));
    const first = await sandbox.start();
    const client = await sandbox.client();
    const { job } = await client.call('snapshot.create', {});
    await stopChild(first.process, 'SIGKILL');
    await sandbox.start();
    const again = await sandbox.client();
    expect(await again.call('job.get', { id: job.id })).toMatchObject({
      status: 'failed',
      error: { code: 'INTERRUPTED' },
    });
    const second = await again.call('snapshot.create', {});
    await again.call('job.cancel', { id: second.job.id });
    expect(await finished(again, second.job.id)).toMatchObject({
      status: 'cancelled',
      exitCode: 130,
    });
    expect((await again.call('snapshot.list', {})).items).toEqual([]);
  });
});
