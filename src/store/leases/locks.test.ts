import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isoTime, systemClock } from '../../kernel/clock.ts';
import { layoutOf } from '../layout.ts';
import { acquireLease, openReader, removeStaleLeases, repositoryLocks } from '../repository.ts';
import {
  commitFile,
  rowBytes,
  scratchRepository,
  writerOf,
} from '../testing/scratch-repository.ts';
import { isStale, type Lease } from './lease.ts';

let repository: Awaited<ReturnType<typeof scratchRepository>>;
let snapshot: string;
beforeEach(async () => {
  repository = await scratchRepository();
  const writer = await writerOf(repository.path);
  snapshot = (await commitFile(writer, rowBytes(1000))).id;
  await writer.close();
});
afterEach(() => repository.dispose());

/** The id of a process that has ended. */
function endedPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid;
}

describe('locks and leases', () => {
  it('F51: unlock removes leases whose process is gone and what is no lease, and no living one', async () => {
    const { path } = repository;
    const { leases: folder } = layoutOf(path);
    const held = await acquireLease(path, snapshot, 'restore', systemClock);
    const { leases } = await repositoryLocks(path, systemClock);
    expect(leases).toMatchObject([{ id: held.id, snapshot, purpose: 'restore', stale: false }]);
    const { id: _id, stale: _stale, ...lease } = leases[0]!;
    const writer = await writerOf(path);
    const gone = '01900000-0000-7000-8000-000000000001.json';
    const torn = '01900000-0000-7000-8000-000000000002.json';
    await writeFile(join(folder, gone), JSON.stringify({ ...lease, pid: endedPid() }));
    await writeFile(join(folder, torn), '{');
    // What cannot be read may protect anything.
    await expect(writer.removeSnapshots([snapshot])).rejects.toMatchObject({ code: 'IN_USE' });
    expect((await removeStaleLeases(path, systemClock)).sort()).toEqual([gone, torn]);
    expect((await repositoryLocks(path, systemClock)).leases).toHaveLength(1);
    await held.release();
    await held.release();
    await writer.removeSnapshots([snapshot]);
    await writer.close();
  });

  it('F-D12: a lease ends with its process, its boot, and its time', () => {
    const nowMs = systemClock.nowMs();
    const lease: Lease = {
      snapshot,
      purpose: 'mount',
      host: 'elsewhere',
      bootId: null,
      pid: endedPid(),
      since: isoTime(nowMs),
      expiresAt: isoTime(nowMs + 60_000),
    };
    expect(isStale(lease, nowMs), 'nobody here can tell').toBe(false);
    expect(isStale(lease, nowMs + 60_000)).toBe(true);
  });

  it('F51, F60: locks tells who writes; readers are not in its way', async () => {
    const { path } = repository;
    expect(await repositoryLocks(path, systemClock)).toMatchObject({ locked: false, holder: null });
    const writer = await writerOf(path, { purpose: 'backup' });
    const holder = { pid: process.pid, purpose: 'backup' };
    expect(await repositoryLocks(path, systemClock)).toMatchObject({ locked: true, holder });
    const reader = await openReader(path);
    expect(reader.listSnapshots()).toHaveLength(1);
    reader.close();
    await writer.close();
    expect(await repositoryLocks(path, systemClock)).toMatchObject({ locked: false });
  });
});
