import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: every command works as the tour in README shows it, with a daemon and, where promised, without. */

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
  const database = new Database(join(sandbox.data, 'app.db'));
  database.exec("CREATE TABLE notes (body); INSERT INTO notes VALUES ('kept')");
  database.close();
  await mkdir(join(sandbox.data, 'files'));
  await writeFile(join(sandbox.data, 'files/a.txt'), 'attachment');
});
afterEach(() => sandbox.dispose());

describe('the command line', () => {
  it('T-47, F23, F-01, F-07, F-16: takes, shows, verifies, checks and restores a snapshot', async () => {
    await sandbox.start();
    expect(await sandbox.json(['status'])).toMatchObject({ ready: true });
    for (const probe of ['live', 'ready']) {
      expect((await sandbox.run(['health', probe])).exitCode).toBe(0);
    }
    const backup = await sandbox.json(['backup', '--tag', 'before-upgrade', '--wait']);
    expect(backup).toMatchObject({ kind: 'backup', status: 'succeeded', exitCode: 0 });
    const { items } = await sandbox.json(['snapshots']);
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ good: true, tags: ['before-upgrade'] });
    const id = items[0].shortId;
    expect(await sandbox.json(['show', id])).toMatchObject({ shortId: id });
    const listed = await sandbox.json(['ls', id, 'data']);
    expect(listed['items'].map(({ name }: { name: string }) => name).sort()).toEqual([
      'app.db',
      'files',
    ]);
    await sandbox.json(['verify', '--latest', '--deep']);
    await sandbox.json(['check', '--read-data-subset', '100%']);
    const target = join(sandbox.root, 'restored');
    await sandbox.json(['restore', id, '--to', target]);
    expect(readFileSync(join(target, 'data/files/a.txt'), 'utf8')).toBe('attachment');
    const { items: jobs } = await sandbox.json(['jobs']);
    expect(jobs.length).toBeGreaterThanOrEqual(4);
    await sandbox.json(['job', jobs[0].id]);
    await sandbox.json(['repository', 'stats']);
    await sandbox.json(['quarantine', 'list']);
    expect((await sandbox.run(['version'])).stdout).toContain('0.1.0');
  });

  it('has an exit code for each way to fail', async () => {
    expect((await sandbox.run(['status'])).exitCode).toBe(4);
    expect((await sandbox.run(['backup', '--no-such-option'])).exitCode).toBe(2);
    await sandbox.start();
    await sandbox.json(['backup', '--wait']);
    expect((await sandbox.run(['show', 'ffffffff'])).exitCode).toBe(10);
    const target = join(sandbox.root, 'full');
    await mkdir(join(target, 'data'), { recursive: true });
    await writeFile(join(target, 'data/app.db'), 'something else');
    expect((await sandbox.run(['restore', 'latest', '--to', target])).exitCode).not.toBe(0);
    expect(readFileSync(join(target, 'data/app.db'), 'utf8')).toBe('something else');
    // Nobody can answer the question whether to replace live data.
    expect((await sandbox.run(['restore', 'latest', '--in-place'])).exitCode).toBe(2);
  });

  it('restores, verifies, checks, recovers and diagnoses with the daemon down', async () => {
    const daemon = await sandbox.start();
    await sandbox.json(['backup', '--wait']);
    await stopChild(daemon.process, 'SIGTERM');
    const target = join(sandbox.root, 'restored');
    await sandbox.json(['restore', 'latest', '--to', target]);
    expect(readFileSync(join(target, 'data/files/a.txt'), 'utf8')).toBe('attachment');
    await sandbox.json(['verify', '--latest', '--deep']);
    await sandbox.json(['check']);
    await sandbox.json(['recover', '--if-needed']);
    const doctor = await sandbox.run(['doctor', '--json']);
    expect([0, 3]).toContain(doctor.exitCode);
    expect(JSON.parse(doctor.stdout).items.length).toBeGreaterThan(5);
  });
});
