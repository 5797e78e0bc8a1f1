import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { readRememberedChanges } from '../../../src/config/remembered-settings.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { connect, type RpcClient } from '../../../src/rpc/client.ts';
import { SecretStore } from '../../../src/state/secret-store.ts';
import { SettingsRecords } from '../../../src/state/settings-records.ts';
import { openState } from '../../../src/state/state-database.ts';
import { finished, succeeded } from '../../support/jobs.ts';
import { holdfastBin } from '../../support/sandbox.ts';
import type { CutBench } from '../bench.ts';
import { dataPicture } from '../promises.ts';
import { writeApplication } from './application.ts';
import { scenarioOf } from './standing.ts';

/** What a daemon has answered, it knows after the power was gone. */

/** Resolves when it is ready. */
async function startDaemon(bench: CutBench): Promise<ChildProcess> {
  const child = spawn(process.execPath, [holdfastBin, 'daemon'], {
    env: bench.environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (JSON.parse(line)['msg'] === 'ready') resolve();
    });
    child.once('exit', () => reject(new Error('The daemon ended before it was ready')));
  });
  return child;
}

async function stopDaemon(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

async function connected(bench: CutBench, use: (client: RpcClient) => Promise<void>) {
  const { client } = await connect(join(bench.home, 'socket'), {
    timeoutMs: 10_000,
    client: { name: 'holdfast-power-cuts', version: '0' },
  });
  try {
    await use(client);
  } finally {
    client.close();
  }
}

let job: string;
let taken: string;

export const daemons = [
  scenarioOf({
    name: 'a daemon at work',
    async setUp({ bench }) {
      writeApplication(bench.data, 1);
      await bench.configure();
    },
    async run({ bench, truth }) {
      const child = await startDaemon(bench);
      try {
        await connected(bench, async (client) => {
          await client.call('settings.update', { patch: { codec: 'none' } });
          bench.acknowledge('settings');
          await client.call('secret.set', { name: 'token', value: 'sesame' });
          bench.acknowledge('secret');
          job = (await client.call('snapshot.create', {})).job.id;
          bench.acknowledge('job');
          taken = succeeded(await finished(client, job))['snapshotId'];
          bench.acknowledge('backup');
          truth.set(taken, dataPicture(bench.data));
        });
      } finally {
        await stopDaemon(child);
      }
    },
    required: ({ truth }, { acknowledged }) => (acknowledged.has('backup') ? truth.keys() : []),
    async outcome({ bench }, { acknowledged }) {
      const state = await openState(join(bench.state, 'state.db'), { clock: systemClock });
      try {
        expect(state.rebuiltFrom).toBe(null);
        const jobs = state.connection.prepare('SELECT id FROM jobs').pluck().all();
        if (acknowledged.has('job')) expect(jobs).toContain(job);
        const status = state.connection.prepare('SELECT status FROM jobs WHERE id = ?').pluck();
        if (acknowledged.has('backup')) expect(status.get(job)).toBe('succeeded');
        const newest = new SettingsRecords(state).newest();
        if (acknowledged.has('settings')) expect(newest).toMatchObject({ version: 1 });
      } finally {
        state.close();
      }
      const remembered = await readRememberedChanges(bench.state);
      if (acknowledged.has('settings')) expect(remembered).toMatchObject({ version: 1 });
      const secrets = new SecretStore(bench.state);
      if (acknowledged.has('secret')) expect(String(await secrets.read('token'))).toBe('sesame');
    },
  }),
];
