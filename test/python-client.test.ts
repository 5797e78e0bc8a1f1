import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectRoot, Sandbox } from './support/sandbox.ts';

/** A client in another language, with nothing but its standard library. */

const run = promisify(execFile);
let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
});
afterEach(() => sandbox.dispose());

describe('examples/status.py', () => {
  it('F47, F03, M-02, M-63: greets, asks for the status, takes a snapshot and waits for it', async () => {
    const database = new Database(join(sandbox.data, 'app.db'));
    database.exec('CREATE TABLE t (x)');
    database.close();
    await sandbox.start();
    const script = join(projectRoot, 'examples/status.py');
    const { stdout } = await run('python3', [script, sandbox.socket, 'app']);
    const client = await sandbox.client();
    const { version, sources } = await client.call('daemon.status', {});
    const snapshotId = sources[0]!.lastSnapshot!.id;
    expect(stdout).toBe(`version ${version}\nbackup succeeded ${snapshotId}\n`);
    // The trail says which process asked.
    const { items } = await client.call('audit.list', {});
    expect(items).toMatchObject([
      { action: 'snapshot.create', client: 'status.py 1', outcome: 'ok' },
    ]);
    if (process.platform === 'linux') expect(items[0]).toMatchObject({ uid: process.getuid!() });
    const refused = await run('python3', [script, sandbox.socket, 'nobody']).catch(
      (error) => error,
    );
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('nobody') });
  });
});
