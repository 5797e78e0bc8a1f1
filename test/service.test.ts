import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Sandbox } from './support/sandbox.ts';

/** Promise: a service manager sees what the daemon does, and its SIGTERM ends it cleanly in time. */

const receiver = fileURLToPath(new URL('support/notify-receiver.py', import.meta.url));

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
});
afterEach(() => sandbox.dispose());

/** Receives notifications; `seen(prefix)` resolves with the first line that starts so, past or future. */
async function openNotifySocket(path: string): Promise<{ seen(prefix: string): Promise<string> }> {
  const child = sandbox.spawn('python3', [receiver, path]);
  const lines: string[] = [];
  const waiting: { prefix: string; resolve: (line: string) => void }[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push(line);
    for (const { prefix, resolve } of waiting) if (line.startsWith(prefix)) resolve(line);
  });
  const seen = (prefix: string): Promise<string> => {
    const past = lines.find((line) => line.startsWith(prefix));
    return past === undefined
      ? new Promise((resolve) => waiting.push({ prefix, resolve }))
      : Promise.resolve(past);
  };
  await seen('bound');
  return { seen };
}

describe('under a service manager', () => {
  it('sends STATUS, READY, WATCHDOG and STOPPING; SIGTERM ends it with code 0', async () => {
    const path = join(sandbox.root, 'notify');
    const { seen } = await openNotifySocket(path);
    const daemon = await sandbox.start({
      environment: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '400000' },
    });
    await seen('READY=1');
    await seen('STATUS=');
    await seen('WATCHDOG=1');
    daemon.process.kill('SIGTERM');
    await seen('STOPPING=1');
    expect(await daemon.ended).toEqual({ code: 0, signal: null });
  });

  it('SIGTERM in the middle of a capture ends it cleanly: no snapshot is half there', async () => {
    const database = new Database(join(sandbox.data, 'app.db'));
    database.exec(`
      CREATE TABLE blobs (body);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
      INSERT INTO blobs SELECT randomblob(1024 * 1024) FROM n;
    `);
    database.close();
    const daemon = await sandbox.start();
    const client = await sandbox.client();
    const events = await client.subscribe({ types: ['job.progress'] });
    await client.call('snapshot.create', {});
    for await (const event of events) if (event.type === 'job.progress') break;
    daemon.process.kill('SIGTERM');
    expect(await daemon.ended).toEqual({ code: 0, signal: null });
    await sandbox.json(['verify', '--all', '--deep']).catch(() => {});
    expect((await sandbox.run(['check'])).exitCode).toBe(0);
  });
});
