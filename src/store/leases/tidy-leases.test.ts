import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { layoutOf } from '../layout.ts';
import { acquireLease, repositoryLocks } from '../repository.ts';
import {
  commitFile,
  rowBytes,
  scratchRepository,
  writerOf,
} from '../testing/scratch-repository.ts';

let repository: Awaited<ReturnType<typeof scratchRepository>>;
let snapshot: string;
beforeEach(async () => {
  repository = await scratchRepository();
  const writer = await writerOf(repository.path);
  snapshot = (await commitFile(writer, rowBytes(1000))).id;
  await writer.close();
});
afterEach(() => repository.dispose());

it('F-D12: leases of processes that are gone, and those cut short, go when a writer opens; no other', async () => {
  const { path } = repository;
  const { leases: folder } = layoutOf(path);
  const held = await acquireLease(path, snapshot, 'restore', systemClock);
  const { leases } = await repositoryLocks(path, systemClock);
  const { id: _id, stale: _stale, ...lease } = leases[0]!;
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  const [gone, torn, cutShort, young] = [
    '01900000-0000-7000-8000-000000000001.json',
    '01900000-0000-7000-8000-000000000002.json',
    '.01900000-0000-7000-8000-000000000003.json.0123456789ab.tmp',
    '.01900000-0000-7000-8000-000000000004.json.0123456789ab.tmp',
  ] as const;
  await writeFile(join(folder, gone), JSON.stringify({ ...lease, pid }));
  for (const name of [torn, cutShort, young]) await writeFile(join(folder, name), '{');
  await utimes(join(folder, cutShort), 1, 1);
  await (await writerOf(path)).close();
  expect(readdirSync(folder).sort()).toEqual([young, torn, `${held.id}.json`].sort());
  await held.release();
});
