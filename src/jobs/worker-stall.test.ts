import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { isAlive } from './testing/process-state.ts';
import { runUnruly } from './testing/run-unruly.ts';

/** Longer than a supervisor waits for pipes to run dry. */
const STALL_MS = 1_300;

/** Between the end of a process's first thread and that of the others. */
const THREADS_END_MS = 200;

/** Nothing of this process runs meanwhile, as when the host is overloaded or the disk hangs. */
function stall(isOver: () => boolean): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (!isOver()) Atomics.wait(cell, 0, 0, 5);
}

function stallFor(durationMs: number): void {
  const untilMs = performance.now() + durationMs;
  stall(() => performance.now() > untilMs);
}

describe('a supervisor that is stalled', () => {
  it('M-24: does not take a worker that handed over its result meanwhile for one that crashed', async () => {
    const { outcome } = await runUnruly(
      { behaviour: 'finish-late', delayMs: 600 },
      {
        onStarted: (workerPid) => {
          // Another child's end is what makes it look for ended children, before it reads what they said.
          const other = spawn('echo', ['said']);
          other.stdout.on('data', () => {
            stall(() => !isAlive(workerPid));
            stallFor(THREADS_END_MS);
          });
          other.on('exit', () => stallFor(STALL_MS));
          // Its output and its end are then found together.
          setImmediate(() => stall(() => !isAlive(other.pid!)));
        },
      },
    );
    expect(outcome).toMatchObject({ status: 'succeeded', result: { late: true } });
  });
});
