import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { restoreTo, snapshot } from './support/jobs.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: whatever state a database was left in, it is captured whole, and left as it was found. */

const hoarder = fileURLToPath(new URL('support/wal-hoarder.mjs', import.meta.url));

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
});
afterEach(() => sandbox.dispose());

/** Names, sizes, times and hashes of a directory's files. */
function listing(directory: string): Record<string, unknown>[] {
  return readdirSync(directory)
    .sort()
    .map((name) => {
      const path = join(directory, name);
      const { size, mtimeMs } = statSync(path);
      const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
      return { name, size, mtimeMs, sha256 };
    });
}

async function restoredRows(snapshotId: string): Promise<unknown> {
  const target = join(sandbox.root, 'restored');
  await restoreTo(await sandbox.client(), snapshotId, target);
  const database = new Database(join(target, 'data/app.db'), { readonly: true });
  expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
  const rows = database
    .prepare('SELECT count(*) AS count, coalesce(sum(length(body)), 0) AS bytes FROM notes')
    .get();
  database.close();
  await rm(target, { recursive: true });
  return rows;
}

describe('a database as it is found', () => {
  it('F12, Z-D4: with a WAL of over 50 MiB that nobody checkpoints is restored whole', async () => {
    const path = join(sandbox.data, 'app.db');
    const child = sandbox.spawn(process.execPath, [hoarder, path, '14000']);
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(50 * 1024 * 1024);
    await sandbox.start();
    const { snapshotId } = await snapshot(await sandbox.client());
    expect(await restoredRows(snapshotId)).toEqual({ count: 14_000, bytes: 14_000 * 4000 });
  });

  it('of a crashed application (a WAL, no -shm) is restored whole, the original not touched', async () => {
    const path = join(sandbox.data, 'app.db');
    const child = sandbox.spawn(process.execPath, [hoarder, path, '500']);
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    await stopChild(child, 'SIGKILL');
    await rm(`${path}-shm`);
    const before = listing(sandbox.data);
    expect(before.map(({ name }) => name)).toEqual(['app.db', 'app.db-wal']);
    await sandbox.start({ environment: {} });
    const { snapshotId } = await snapshot(await sandbox.client());
    expect(listing(sandbox.data)).toEqual(before);
    expect(await restoredRows(snapshotId)).toEqual({ count: 500, bytes: 500 * 4000 });
  });

  it.each(['wal', 'delete'])('in %s mode that nobody has open is left as it was', async (mode) => {
    const path = join(sandbox.data, 'app.db');
    const database = new Database(path);
    database.pragma(`journal_mode = ${mode}`);
    database.exec("CREATE TABLE notes (body); INSERT INTO notes VALUES ('kept')");
    database.close();
    const before = listing(sandbox.data);
    await sandbox.start();
    const { snapshotId } = await snapshot(await sandbox.client());
    expect(listing(sandbox.data)).toEqual(before);
    expect(await restoredRows(snapshotId)).toEqual({ count: 1, bytes: 4 });
  });
});
