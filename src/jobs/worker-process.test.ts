import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOG_LINE_BYTES_MAX } from '../kernel/limits.ts';
import { bundleFixture } from './testing/bundle-fixture.ts';
import { gone, linesOf, runUnruly as run } from './testing/run-unruly.ts';

describe('runWorker() hands back what a worker did', () => {
  it('M-24: a result, its warnings, its messages and its output', async () => {
    const { outcome, messages, pid } = await run({ behaviour: 'normal', value: 42 });
    expect(outcome).toEqual({
      status: 'succeeded',
      result: { value: 42 },
      error: null,
      warnings: 1,
    });
    expect(messages).toContainEqual({
      type: 'progress',
      counts: { phase: 'work', filesDone: 1, totalFiles: 2 },
    });
    expect(linesOf(messages, 'stdout')).toEqual(['to stdout']);
    expect(linesOf(messages, 'stderr')).toEqual(['to stderr']);
    await gone(pid);
  });

  it('an operation that failed fails with its own error', async () => {
    const { outcome } = await run({ behaviour: 'fail-plainly' });
    expect(outcome.status).toBe('failed');
    expect(outcome.error).toMatchObject({ code: 'SOURCE_MISSING', retryable: true });
  });

  it('work begins only after onStarted() returned, and never if that failed', async () => {
    let pid = 0;
    const { outcome, messages } = await run(
      { behaviour: 'normal' },
      {
        onStarted: (started) => {
          pid = started;
          throw new Error('cannot be recorded');
        },
      },
    );
    expect(outcome.error?.message).toBe('cannot be recorded');
    expect(messages).toEqual([]);
    await gone(pid);
  });

  it('a program that cannot be started is a failure, not an exception', async () => {
    const { outcome } = await run({}, { entry: '/nonexistent/worker.mjs' });
    expect(outcome.error?.code).toBe('WORKER_CRASHED');
    expect(outcome.error?.details?.['stderrTail']).toContain('/nonexistent/worker.mjs');
  });

  it('a worker that says what is no message is not believed, and not minded', async () => {
    const { outcome } = await run({ behaviour: 'talk-strangely' });
    expect(outcome).toMatchObject({ status: 'succeeded', result: { calm: true } });
  });

  it('its environment is what was given and nothing else', async () => {
    process.env['HOLDFAST_TEST_SECRET'] = 'x';
    const { messages } = await run(
      {},
      { entry: fileURLToPath(new URL('testing/print-environment.mjs', import.meta.url)) },
    );
    delete process.env['HOLDFAST_TEST_SECRET'];
    const names = linesOf(messages, 'stdout').join().split(' ').sort();
    expect(names.filter((name) => !name.startsWith('NODE_CHANNEL'))).toEqual([
      'HOLDFAST_JOB_ID',
      'HOLDFAST_SUPERVISOR_PID',
      'PATH',
      'UV_THREADPOOL_SIZE',
    ]);
  });
});

describe('runWorker() survives any worker', () => {
  it('a crash by signal: WORKER_CRASHED with the signal and the last words', async () => {
    const { outcome } = await run({ behaviour: 'crash-by-signal' });
    expect(outcome.status).toBe('failed');
    expect(outcome.error?.code).toBe('WORKER_CRASHED');
    expect(outcome.error?.message).toContain('SIGSEGV');
    expect(outcome.error?.details).toMatchObject({ stderrTail: 'about to crash\n' });
  });

  it('an exit without a result: WORKER_CRASHED with the code', async () => {
    const { outcome } = await run({ behaviour: 'exit-silently' });
    expect(outcome.error).toMatchObject({ code: 'WORKER_CRASHED', details: { code: 7 } });
  });

  it('an uncaught error: WORKER_CRASHED with the stack in the evidence', async () => {
    const { outcome } = await run({ behaviour: 'throw-at-once' });
    expect(outcome.error?.details?.['stderrTail']).toContain('thrown in the worker');
  });

  it('Z-24, Z-D25: a busy loop past its deadline is killed: TIMEOUT', async () => {
    const { outcome, pid } = await run({ behaviour: 'busy-loop' }, { deadlineMs: 400 });
    expect(outcome.status).toBe('failed');
    expect(outcome.error).toMatchObject({ code: 'TIMEOUT', details: { killed: true } });
    await gone(pid);
  });

  it('a worker that stops by itself at its deadline: TIMEOUT, not killed', async () => {
    const { outcome } = await run(
      { behaviour: 'obey-cancel' },
      { deadlineMs: 400, graceMs: 10_000 },
    );
    expect(outcome.error).toMatchObject({ code: 'TIMEOUT', details: { killed: false } });
  });

  it.runIf(process.platform === 'linux')(
    'a worker that bloats is killed near its bound: LIMIT_EXCEEDED',
    async () => {
      const bound = 200 * 1024 * 1024;
      const { outcome, pid } = await run({ behaviour: 'bloat' }, { memoryBytesMax: bound });
      expect(outcome.error?.code).toBe('LIMIT_EXCEEDED');
      const taken = Number(outcome.error?.details?.['memoryBytes']);
      expect(taken).toBeGreaterThan(bound);
      expect(taken).toBeLessThan(3 * bound);
      await gone(pid);
    },
  );

  it('a worker that has a result but does not end is ended, and its result counts', async () => {
    const { outcome, pid } = await run({ behaviour: 'linger-after-result' });
    expect(outcome).toMatchObject({ status: 'succeeded', result: { done: true } });
    await gone(pid);
  });

  it.each(['finish', 'crash'])(
    'what a worker started dies with it, though it holds the pipes open: %s',
    async (then) => {
      const { messages } = await run({ behaviour: 'leave-grandchild', then });
      const grandchild = Number(linesOf(messages, 'event')[0]?.replace('grandchild ', ''));
      expect(grandchild).toBeGreaterThan(1);
      await gone(grandchild);
    },
  );

  it('a flood of output arrives whole, in lines of bounded length', async () => {
    const bytes = 8_000_000;
    const { messages } = await run({ behaviour: 'flood-stdout', bytes, newline: true });
    const printed = linesOf(messages, 'stdout');
    expect(printed.length).toBe(bytes / 100);
    expect(new Set(printed)).toEqual(new Set(['x'.repeat(99)]));

    const endless = await run({ behaviour: 'flood-stdout', bytes, newline: false });
    const pieces = linesOf(endless.messages, 'stdout');
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(
      LOG_LINE_BYTES_MAX,
    );
    expect(pieces.reduce((sum, piece) => sum + piece.length, 0)).toBe(bytes);
  });
});

describe('the bundle', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-jobs-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('of worker-process.ts needs the kernel and Node alone: the command line uses it', async () => {
    const { inputs } = await bundleFixture('supervising-parent.mjs', directory);
    const strange = inputs.filter(
      (input) => !/^(src\/kernel\/|src\/jobs\/|node:|[a-z_]+$)/.test(input),
    );
    expect(strange).toEqual([]);
    expect(inputs.filter((input) => /sqlite/.test(input))).toEqual([]);
  });
});
