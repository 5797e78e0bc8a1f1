import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { finished } from './support/jobs.ts';
import { Sandbox } from './support/sandbox.ts';

/** What the daemon promises those who run it, and what it keeps of that. */

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure({}, { bandwidth: { writeBytesPerSecond: '1MiB' } });
});
afterEach(() => sandbox.dispose());

describe('the daemon', () => {
  it('F04, F02, F57: daemon.restart is answered, ends it with code 75, and the next run knows of it', async () => {
    const daemon = await sandbox.start();
    const { previousRun } = await (await sandbox.client()).call('daemon.status', {});
    expect(previousRun).toBeNull();
    expect(await sandbox.json(['restart'])).toEqual({ stopping: true, supervised: false });
    expect((await daemon.ended).code).toBe(75);
    await sandbox.start();
    const status = await (await sandbox.client()).call('daemon.status', {});
    expect(status.previousRun).toMatchObject({ clean: true });
    const { items } = await sandbox.json(['audit']);
    expect(items).toMatchObject([{ action: 'daemon.restart', outcome: 'ok' }]);
    expect(items[0].client).toMatch(/^holdfast/);
  });

  it('F09, M-13, M-35: the configured bound holds in workers; a job may lift it for itself', async () => {
    const database = new Database(join(sandbox.data, 'app.db'));
    database.exec('CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(3 * 1024 * 1024))');
    database.close();
    await sandbox.start();
    const client = await sandbox.client();
    const unbounded = { bandwidth: { writeBytesPerSecond: 0 } };
    const took = async (params: object): Promise<number> => {
      const { job } = await client.call('snapshot.create', params);
      const end = await finished(client, job.id);
      expect(end.status).toBe('succeeded');
      return Date.parse(end.finishedAt!) - Date.parse(end.startedAt!);
    };
    // 3 MiB of noise at 1 MiB per second; then as much again, as fast as it goes.
    const bounded = await took({});
    expect(bounded).toBeGreaterThan(2_000);
    const again = new Database(join(sandbox.data, 'app.db'));
    again.exec('UPDATE t SET x = randomblob(3 * 1024 * 1024)');
    again.close();
    expect(await took(unbounded)).toBeLessThan(bounded);
  });

  it('M-25, F50: whoever subscribes hears when snapshots come, change and go, and the list is then current', async () => {
    await sandbox.start();
    const client = await sandbox.client();
    const events = await client.subscribe({ types: ['snapshot.changed'] });
    const listed = async (): Promise<[boolean, number]> => {
      const { items } = await client.call('snapshot.list', {});
      return [items.some(({ pinned }) => pinned), items.length];
    };
    const steps = [
      ['snapshot.create', {}, [false, 1]],
      ['snapshot.pin', { ids: ['latest'] }, [true, 1]],
      ['snapshot.unpin', { ids: ['latest'] }, [false, 1]],
    ] as const;
    for (const [method, params, expected] of steps) {
      const { job } = await client.call(method, params as never);
      expect((await events.next()).value).toMatchObject({
        jobId: job.id,
        type: 'snapshot.changed',
      });
      expect(await listed()).toEqual(expected);
    }
  });

  it('F57: a backup that fails is an alert in status, and the next good one resolves it', async () => {
    const allowed = join(sandbox.root, 'allowed');
    await sandbox.configure({ hooks: { pre: `test -e ${allowed}` } });
    await sandbox.start();
    const client = await sandbox.client();
    const { job } = await client.call('snapshot.create', {});
    expect((await finished(client, job.id)).status).toBe('failed');
    const status = await sandbox.run(['status']);
    expect(status.stdout).toContain('alert: warning: backup failed');
    const { alerts } = await client.call('daemon.status', {});
    expect(alerts.newest).toMatchObject([{ kind: 'BACKUP_FAILED', jobId: job.id, count: 1 }]);
    await writeFile(allowed, '');
    const { job: good } = await client.call('snapshot.create', {});
    expect((await finished(client, good.id)).status).toBe('succeeded');
    expect((await client.call('alert.list', {})).items).toEqual([]);
    const resolved = await client.call('alert.list', { states: ['resolved'] });
    expect(resolved.items).toMatchObject([{ id: alerts.newest[0]!.id, state: 'resolved' }]);
  });
});
