import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { silentLogger } from '../kernel/logger.ts';
import { RESULT_BYTES_MAX } from './bound-result.ts';
import { bundleFixture, FIXTURE_ENVIRONMENT } from './testing/bundle-fixture.ts';
import { isAlive } from './testing/process-state.ts';
import type { FromWorker } from './worker-messages.ts';
import { runWorker, type WorkerOutcome } from './worker-process.ts';

let directory: string;
let serving: string;
let parent: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-jobs-'));
  serving = (await bundleFixture('serving-worker.mjs', directory)).path;
  parent = (await bundleFixture('supervising-parent.mjs', directory)).path;
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function serve(
  params: Record<string, unknown>,
  options: { cancelOnLog?: boolean; deadlineMs?: number } = {},
): Promise<{ outcome: WorkerOutcome; messages: FromWorker[] }> {
  const messages: FromWorker[] = [];
  const abort = new AbortController();
  const outcome = await runWorker({
    entry: serving,
    start: { type: 'start', jobId: 'job-1', kind: 'check', params, settings: {} },
    deadlineMs: options.deadlineMs ?? 20_000,
    memoryBytesMax: null,
    graceMs: 5_000,
    clock: systemClock,
    logger: silentLogger,
    env: FIXTURE_ENVIRONMENT,
    signal: abort.signal,
    onMessage: (message) => {
      messages.push(message);
      if (message.type === 'log' && options.cancelOnLog === true) abort.abort();
    },
  });
  return { outcome, messages };
}

describe('serveWorker()', () => {
  it('hands over the result, and ends although the operation left a timer running', async () => {
    const { outcome, messages } = await serve({ behaviour: 'normal', value: [1, 2] });
    expect(outcome).toMatchObject({ status: 'succeeded', result: { value: [1, 2] }, warnings: 1 });
    expect(messages).toEqual([
      { type: 'log', stream: 'event', message: 'one line' },
      { type: 'warn', message: 'careful' },
    ]);
  });

  it('hands over a failure with code, message and hint', async () => {
    const { outcome } = await serve({ behaviour: 'fail' });
    expect(outcome.error).toEqual({
      code: 'SOURCE_CORRUPT',
      message: 'Cannot read "app.db": it is torn',
      hint: 'Recover it.',
      retryable: false,
    });
  });

  it.each([
    ['fail-at-once', 'not even a promise'],
    ['reject-unheard', 'nobody listens'],
  ])(
    'an error that nobody catches (%s) fails the job in its own words',
    async (behaviour, text) => {
      const { outcome } = await serve({ behaviour });
      expect(outcome.error).toMatchObject({ code: 'INTERNAL', message: text });
    },
  );

  it('cancel aborts the signal: the job ends as cancelled', async () => {
    const { outcome } = await serve({ behaviour: 'wait-for-cancel' }, { cancelOnLog: true });
    expect(outcome).toMatchObject({ status: 'cancelled', error: { code: 'CANCELLED' } });
    expect(outcome.error?.message).not.toContain('killed');
  });

  it('the deadline aborts the signal: the job fails with TIMEOUT', async () => {
    const { outcome } = await serve({ behaviour: 'wait-for-cancel' }, { deadlineMs: 500 });
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT' } });
    expect(outcome.error?.details).toMatchObject({ killed: false });
  });

  it('an uncancellable section is not entered once the job is cancelled', async () => {
    const { outcome } = await serve({ behaviour: 'swap-when-cancelled' }, { cancelOnLog: true });
    expect(outcome.status).toBe('cancelled');
  });

  it('a flood of reports becomes some ten messages a second, the last of which always arrives', async () => {
    const count = 200_000;
    const { messages } = await serve({ behaviour: 'report-much', count });
    const progress = messages.filter(({ type }) => type === 'progress');
    expect(progress.length).toBeLessThan(100);
    expect(progress[0]).toMatchObject({ counts: { filesDone: 1 } });
    expect(progress.at(-1)).toMatchObject({ counts: { filesDone: count, totalFiles: count } });
  });

  it('a result too long to keep loses its longest field, not the job', async () => {
    const { outcome } = await serve({ behaviour: 'long-result' });
    expect(outcome).toEqual({
      status: 'succeeded',
      result: { kept: 'yes', omitted: ['entries'] },
      error: null,
      warnings: 1,
    });
    expect(JSON.stringify(outcome.result).length).toBeLessThan(RESULT_BYTES_MAX);
  });
});

describe('a worker dies with its supervisor', () => {
  /** Starts a supervisor, and resolves with the first number that its worker logs. */
  async function supervise(
    entry: string,
    params: Record<string, unknown>,
  ): Promise<{ supervisor: ChildProcess; logged: number }> {
    const supervisor = spawn(process.execPath, [parent, entry, JSON.stringify(params)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: FIXTURE_ENVIRONMENT,
    });
    for await (const line of createInterface({ input: supervisor.stdout! })) {
      const number = /(\d+)$/.exec(JSON.parse(line).message ?? '')?.[1];
      if (number !== undefined) return { supervisor, logged: Number(number) };
    }
    throw new Error('the supervisor ended before its worker said anything');
  }

  const gone = (pid: number): Promise<void> =>
    expect.poll(() => isAlive(pid), { timeout: 5_000, interval: 20 }).toBe(false);

  it('when the supervisor is killed while the worker waits', async () => {
    const { supervisor, logged } = await supervise(serving, { behaviour: 'wait-for-cancel' });
    expect(isAlive(logged)).toBe(true);
    supervisor.kill('SIGKILL');
    await gone(logged);
  });

  it('when the supervisor is killed while the worker is deep inside one SQLite call', async () => {
    const { supervisor, logged } = await supervise(serving, { behaviour: 'long-query' });
    expect(isAlive(logged)).toBe(true);
    supervisor.kill('SIGKILL');
    await gone(logged);
  });

  it('with everything that it started', async () => {
    const { supervisor, logged } = await supervise(serving, { behaviour: 'leave-grandchild' });
    expect(isAlive(logged)).toBe(true);
    supervisor.kill('SIGKILL');
    await gone(logged);
  });

  it('serveWorker() refuses a process that nobody forked', async () => {
    const alone = spawn(process.execPath, [serving], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: FIXTURE_ENVIRONMENT,
    });
    let said = '';
    alone.stderr.on('data', (bytes) => {
      said += bytes;
    });
    const code = await new Promise((resolve) => alone.on('close', resolve));
    expect(code).not.toBe(0);
    expect(said).toContain('not forked by a supervisor');
  });
});
