import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { recordProof } from '../src/kernel/testing/record-proof.ts';
import type { RpcClient } from '../src/rpc/client.ts';
import { finished, restoreTo, succeeded } from './support/jobs.ts';
import { Sandbox } from './support/sandbox.ts';
import { treeHashes } from './support/tree.ts';

/**
 * Promise: a directory that is exchanged for a symlink while Holdfast works in it leads neither a byte nor a name from
 * elsewhere into a snapshot, nor a write to elsewhere. HOLDFAST_TEST_RACES says how often each is tried.
 */

const RACES = Number(process.env['HOLDFAST_TEST_RACES'] ?? 2);
const FILES = 150;
const SECRET = 'OUTSIDE-SECRET';

let sandbox: Sandbox;
let client: RpcClient;
let outside: string;
let raced: string;
let exchanges = 0;
let refused = 0;

beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
  outside = join(sandbox.root, 'outside');
  raced = join(sandbox.data, 'raced');
  for (const directory of [outside, raced]) mkdirSync(directory, { recursive: true });
  mkdirSync(join(outside, 'outside-directory'));
  writeFileSync(join(outside, 'outside-name'), SECRET);
  for (let index = 0; index < FILES; index += 1) {
    writeFileSync(join(outside, `file-${index}`), `${SECRET} ${index}`);
    writeFileSync(join(raced, `file-${index}`), `inside ${index}`);
  }
  await sandbox.start();
  client = await sandbox.client();
});
afterEach(() => sandbox.dispose());

/** Runs `work` while a process of its own exchanges `raced` for a link to `outside`. */
async function whileRaced(work: () => Promise<void>): Promise<void> {
  const racer: ChildProcess = fork(fileURLToPath(new URL('hostile/racer.mjs', import.meta.url)), [
    raced,
    outside,
  ]);
  await once(racer, 'message');
  try {
    await work();
  } finally {
    const ended = once(racer, 'exit');
    const told = once(racer, 'message');
    racer.send('stop');
    exchanges += (await told)[0].rounds;
    await ended;
    // A restore that put the directory back meanwhile leaves the racer's there.
    rmSync(`${raced}.link`, { recursive: true, force: true });
  }
}

/** Everything that a directory holds, names and bytes; symlinks as themselves. */
function holdings(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return [`${path}/`, ...holdings(path)];
    return [entry.isFile() ? `${path}: ${readFileSync(path, 'latin1')}` : path];
  });
}

it('Z-D12, F14: no snapshot holds what lies outside of the roots, however its directories are exchanged', async () => {
  for (let race = 0; race < RACES; race += 1) {
    for (let index = 0; index < FILES; index += 1) {
      writeFileSync(join(raced, `file-${index}`), `inside ${index} ${race}`);
    }
    let snapshotId = '';
    await whileRaced(async () => {
      const { job } = await client.call('snapshot.create', {});
      const end = await finished(client, job.id);
      snapshotId = String(succeeded(end)['snapshotId']);
    });
    const copy = join(sandbox.root, `copy-${race}`);
    await restoreTo(client, snapshotId, copy);
    const held = holdings(copy).join('\n');
    expect(held).not.toMatch(/OUTSIDE-SECRET|outside-name|outside-directory/);
  }
});

it('Z-D12, F26: no restore writes outside of its target, however its directories are exchanged', async () => {
  const { job } = await client.call('snapshot.create', {});
  const { snapshotId } = succeeded(await finished(client, job.id));
  const before = treeHashes(outside);
  for (let race = 0; race < RACES; race += 1) {
    for (let index = 0; index < FILES; index += 1) {
      writeFileSync(join(raced, `file-${index}`), `changed ${index} ${race}`);
    }
    await whileRaced(async () => {
      const restore = await client.call('restore.run', {
        snapshotId,
        target: { type: 'in-place' },
        confirm: 'app',
        overwrite: 'always',
        checkpoint: false,
      });
      const end = await finished(client, restore.job.id);
      if (end.status === 'succeeded') return;
      refused += 1;
      expect(end.error?.code, JSON.stringify(end.error)).toMatch(/^[A-Z_]+$/);
      expect(end.error?.code).not.toBe('INTERNAL');
    });
    expect(treeHashes(outside)).toEqual(before);
  }
  recordProof({
    suite: 'path-races',
    promise: 'A directory exchanged for a symlink leads nothing from elsewhere in, and nothing out',
    how: 'While a snapshot is taken, and while one is restored in place, another process exchanges a directory of the source for a symlink to one outside, and back, without pause. What the snapshot holds and what lies outside are compared.',
    command: 'npm run test:races',
    figures: {
      snapshots: RACES,
      restores: RACES,
      'exchanges of the directory': exchanges,
      'restores that refused': refused,
    },
    failures: 0,
    seeds: 'none',
  });
});
