import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { silentLogger } from '../../kernel/logger.ts';
import type { FromWorker } from '../worker-messages.ts';
import { runWorker, type WorkerOptions, type WorkerOutcome } from '../worker-process.ts';
import { isAlive } from './process-state.ts';

const unruly = fileURLToPath(new URL('unruly-worker.mjs', import.meta.url));

export interface Run {
  outcome: WorkerOutcome;
  messages: FromWorker[];
  pid: number;
}

/** Runs the unruly worker as `params.behaviour` says. */
export async function runUnruly(
  params: Record<string, unknown>,
  options: Partial<WorkerOptions> & { onLog?: (message: string) => void } = {},
): Promise<Run> {
  const messages: FromWorker[] = [];
  let pid = 0;
  const outcome = await runWorker({
    entry: unruly,
    start: { type: 'start', jobId: 'job-1', kind: 'check', params, settings: {} },
    deadlineMs: 20_000,
    memoryBytesMax: null,
    graceMs: 300,
    clock: systemClock,
    logger: silentLogger,
    env: { PATH: process.env['PATH'] },
    onStarted: (started) => {
      pid = started;
    },
    onMessage: (message) => {
      messages.push(message);
      if (message.type === 'log') options.onLog?.(message.message);
    },
    ...options,
  });
  return { outcome, messages, pid };
}

/** What it printed or logged. */
export const linesOf = (messages: FromWorker[], stream: string): string[] =>
  messages.flatMap((each) => (each.type === 'log' && each.stream === stream ? [each.message] : []));

/** Resolves once the process has gone. */
export async function gone(pid: number): Promise<void> {
  await expect.poll(() => isAlive(pid), { timeout: 5_000, interval: 10 }).toBe(false);
}
