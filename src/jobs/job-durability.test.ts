import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KILL_AT_STEP_VARIABLE } from '../files/durable-steps.ts';
import { systemClock } from '../kernel/clock.ts';
import { silentLogger } from '../kernel/logger.ts';
import { openState } from '../state/state-database.ts';
import type { Job } from './job.ts';
import { JobQueue } from './job-queue.ts';
import { JobStore } from './job-store.ts';
import { bundleFixture, FIXTURE_ENVIRONMENT } from './testing/bundle-fixture.ts';
import { isAlive } from './testing/process-state.ts';
import { runWorker } from './worker-process.ts';

let directory: string;
let program: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-jobs-'));
  program = (await bundleFixture('killed-queue.mjs', directory)).path;
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Told {
  readonly id?: string;
  readonly accepted?: string;
  readonly status?: Job['status'];
  readonly seq?: number;
  readonly commits?: number;
}

/** Runs the program on a new state.db, to be killed at `step`; what it managed to say. */
function runKilled(name: string, step: string): { path: string; told: Told[] } {
  const path = join(directory, name, 'state.db');
  const { stdout } = spawnSync(process.execPath, [program, path], {
    env: { ...FIXTURE_ENVIRONMENT, [KILL_AT_STEP_VARIABLE]: step },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  const told = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  return { path, told };
}

describe('SIGKILL at any transition', () => {
  it('M-18, F47, M-D13, M-D14: loses nothing that was said, settles everything, and leaves logs without gaps', async () => {
    const whole = runKilled('whole', 'never');
    const commits = whole.told.at(-1)!.commits!;
    expect(commits).toBeGreaterThan(8);
    for (let step = 1; step <= commits; step += 1) {
      for (const moment of ['before', 'after']) {
        const { path, told } = runKilled(`${moment}-${step}`, `${moment}:${step}`);
        expect(told.at(-1)?.commits).toBeUndefined();
        await checkAfterKill(path, told);
      }
    }
  });

  async function checkAfterKill(path: string, told: readonly Told[]): Promise<void> {
    const state = await openState(path, { clock: systemClock });
    expect(state.rebuiltFrom).toBeNull();
    const held: string[] = [];
    const queue = new JobQueue({
      state,
      clock: systemClock,
      logger: silentLogger,
      runJob: async (job) => {
        held.push(job.id);
        return { status: 'succeeded', result: null, error: null, warnings: 0 };
      },
    });
    const before = new Map(queue.list().items.map((job) => [job.id, job.status]));
    await queue.start();
    for (const { id } of queue.list().items) {
      const after = await queue.wait(id, 5_000);
      const was = before.get(id)!;
      if (was === 'running') expect(after.error?.code).toBe('INTERRUPTED');
      if (was === 'queued') expect(held).toContain(id);
      if (was === 'succeeded') expect(after.result).not.toBeNull();
      const { items } = queue.logs(id, { limit: 1_000 });
      expect(items.map(({ seq }) => seq)).toEqual(items.map((_, index) => index + 1));
    }
    for (const { id, accepted, status, seq } of told) {
      if (accepted !== undefined) expect(before.has(id!)).toBe(true);
      if (status === 'succeeded') expect(before.get(id!)).toBe('succeeded');
      if (seq !== undefined) {
        expect(queue.logs(id!, { afterSeq: seq - 1 }).items[0]?.seq).toBe(seq);
      }
    }
    await queue.stop(0);
    state.close();
  }
});

describe('real workers under the queue', () => {
  const unruly = fileURLToPath(new URL('testing/unruly-worker.mjs', import.meta.url));

  async function realQueue(name: string): Promise<{ queue: JobQueue; close(): Promise<void> }> {
    const state = await openState(join(directory, name, 'state.db'), { clock: systemClock });
    const queue = new JobQueue({
      state,
      clock: systemClock,
      logger: silentLogger,
      runJob: ({ id, kind, params }, hooks) =>
        runWorker({
          entry: unruly,
          start: { type: 'start', jobId: id, kind, params, settings: {} },
          memoryBytesMax: 200 * 1024 * 1024,
          graceMs: 200,
          clock: systemClock,
          logger: silentLogger,
          env: { PATH: process.env['PATH'] },
          ...hooks,
        }),
    });
    await queue.start();
    return {
      queue,
      close: async () => {
        await queue.stop(0);
        state.close();
      },
    };
  }

  const submit = (queue: JobQueue, params: Record<string, unknown>, deadlineMs = 20_000): Job =>
    queue.submit({ kind: 'check', params, actor: 'user', mutating: true, deadlineMs });

  it('crash, hang, bloat: each job ends with its reason, and the queue lives on', async () => {
    const { queue, close } = await realQueue('unruly');
    const crashed = submit(queue, { behaviour: 'crash-by-signal' });
    const hung = submit(queue, { behaviour: 'busy-loop' }, 400);
    const bloated = submit(queue, { behaviour: 'bloat' });
    const flooded = submit(queue, { behaviour: 'flood-stdout', bytes: 20_000_000, newline: true });
    const fine = submit(queue, { behaviour: 'normal', value: 7 });
    expect((await queue.wait(fine.id, 25_000)).result).toEqual({ value: 7 });
    const ended = [crashed, hung, bloated, flooded, fine].map(({ id }) => queue.get(id));
    expect(ended.map(({ error }) => error?.code ?? null)).toEqual([
      'WORKER_CRASHED',
      'TIMEOUT',
      process.platform === 'linux' ? 'LIMIT_EXCEEDED' : null,
      null,
      null,
    ]);
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([1, 1, 1, 0, 3]);
    expect(ended.at(-1)).toMatchObject({ warnings: 1, progress: { percentDone: 1 } });
    const messages = queue.logs(fine.id).items.map(({ message }) => message);
    expect(messages).toEqual(
      expect.arrayContaining(['to stdout', 'to stderr', 'warning: careful']),
    );
    expect(queue.counts()).toEqual({ queued: 0, running: 0 });
    await close();
  });

  it('a flood of progress becomes few events, the last of which has the totals', async () => {
    const { queue, close } = await realQueue('flood');
    const seen: (number | null)[] = [];
    queue.onEvent((event) => {
      if (event.type === 'job.progress') seen.push(event.progress.filesDone);
    });
    const { id } = submit(queue, { behaviour: 'flood-progress', count: 5_000 });
    await queue.wait(id, 20_000);
    expect(seen[0]).toBe(1);
    expect(seen.at(-1)).toBe(5_000);
    expect(seen.length).toBeLessThan(20);
    await close();
  });

  it('stop() leaves no worker behind', async () => {
    const { queue, close } = await realQueue('stopped');
    const { id } = submit(queue, { behaviour: 'ignore-cancel' });
    const pid = queue.get(id).workerPid!;
    expect(isAlive(pid)).toBe(true);
    await close();
    expect(isAlive(pid)).toBe(false);
  });

  it.runIf(process.platform === 'linux')(
    'start() ends the worker of an earlier daemon before it calls its job interrupted',
    async () => {
      const state = await openState(join(directory, 'leftover', 'state.db'), {
        clock: systemClock,
      });
      const store = new JobStore(state, systemClock);
      const job = (id: string): Job => {
        store.insert({
          ...{ id, kind: 'check', sourceId: null, params: {}, actor: 'user', priority: 1 },
          ...{ mutating: true, deadlineMs: null, coalesceKey: null, idempotencyKey: null },
        });
        return store.markRunning(id);
      };
      const idle = ['-e', 'setInterval(() => {}, 1000)'];
      const leftover = spawn(process.execPath, idle, {
        detached: true,
        stdio: 'ignore',
        env: { HOLDFAST_JOB_ID: job('leftover').id },
      });
      const stranger = spawn(process.execPath, idle, { detached: true, stdio: 'ignore', env: {} });
      store.setWorkerPid('leftover', leftover.pid!);
      // A number that somebody else has by now.
      store.setWorkerPid(job('other').id, stranger.pid!);
      const exited = once(leftover, 'exit');
      const queue = new JobQueue({
        state,
        clock: systemClock,
        logger: silentLogger,
        runJob: () => Promise.reject(new Error('nothing is queued')),
      });
      await queue.start();
      expect(await exited).toEqual([null, 'SIGKILL']);
      expect(isAlive(stranger.pid!)).toBe(true);
      expect(queue.get('other').error?.code).toBe('INTERRUPTED');
      stranger.kill('SIGKILL');
      await once(stranger, 'exit');
      await queue.stop(0);
      state.close();
    },
  );
});
