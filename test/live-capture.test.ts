import { readFileSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BANK_TOTAL, readBank } from './support/bank.ts';
import { restoreTo, snapshot } from './support/jobs.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: every snapshot of a live application is one moment of it, and restores whole. */

/** `npm run test:live` takes 50 each time. */
const SNAPSHOTS = Number(process.env['HOLDFAST_TEST_SNAPSHOTS'] ?? 6);

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
});
afterEach(() => sandbox.dispose());

async function takeSnapshotsUnderLoad(
  databases: readonly string[],
  journalMode: 'wal' | 'delete',
): Promise<{ ids: string[]; skewsMs: number[] }> {
  const writers = [];
  for (const [index, name] of databases.entries()) {
    const path = join(sandbox.data, name);
    writers.push(await sandbox.startBank(path, journalMode, 11 + index));
    writers.push(await sandbox.startBank(path, journalMode, 71 + index));
  }
  const client = await sandbox.client();
  const ids: string[] = [];
  const skewsMs: number[] = [];
  for (let count = 0; count < SNAPSHOTS; count++) {
    const result = await snapshot(client);
    expect(result['good']).toBe(true);
    ids.push(result['snapshotId']);
    skewsMs.push(result['skewMs']);
  }
  for (const writer of writers) await stopChild(writer, 'SIGTERM');
  return { ids, skewsMs };
}

async function expectEveryRestored(
  ids: readonly string[],
  databases: readonly string[],
): Promise<void> {
  const client = await sandbox.client();
  let transfersBefore = -1;
  for (const id of ids) {
    const target = join(sandbox.root, 'restored');
    await restoreTo(client, id, target);
    for (const name of databases) {
      const { integrity, total, transfers } = readBank(join(target, 'data', name));
      expect({ id, name, integrity, total }).toEqual({
        id,
        name,
        integrity: 'ok',
        total: BANK_TOTAL,
      });
      transfersBefore = Math.max(transfersBefore, transfers);
    }
    await rm(target, { recursive: true });
  }
  // The writers did write, or the rest proves nothing.
  expect(transfersBefore).toBeGreaterThan(0);
}

describe('snapshots of a live application', () => {
  it.each(['wal', 'delete'] as const)(
    'F12, Z-D1: those taken under two writers in %s mode all restore with integrity and an exact sum',
    async (journalMode) => {
      await sandbox.start();
      const { ids } = await takeSnapshotsUnderLoad(['app.db'], journalMode);
      expect(new Set(ids).size).toBe(SNAPSHOTS);
      await expectEveryRestored(ids, ['app.db']);
    },
  );

  it('those of two databases and a directory of files all restore, and report their skew', async () => {
    const attachments = join(sandbox.data, 'attachments');
    await mkdir(join(attachments, 'empty'), { recursive: true });
    for (let index = 0; index < 20; index++) {
      await writeFile(
        join(attachments, `${index}.txt`),
        `attachment ${index}\n`.repeat(index * 50),
      );
    }
    await sandbox.start();
    const { ids, skewsMs } = await takeSnapshotsUnderLoad(['one.db', 'two.db'], 'wal');
    await expectEveryRestored(ids, ['one.db', 'two.db']);
    expect(skewsMs.every((skewMs) => skewMs >= 0 && skewMs < 60_000)).toBe(true);

    const target = join(sandbox.root, 'last');
    await restoreTo(await sandbox.client(), ids.at(-1)!, target);
    const restored = join(target, 'data/attachments');
    expect(await readdir(restored)).toEqual(await readdir(attachments));
    for (const name of (await readdir(attachments)).filter((each) => each !== 'empty')) {
      expect(readFileSync(join(restored, name))).toEqual(readFileSync(join(attachments, name)));
    }
  });
});
