import { execFileSync, fork } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkerStart } from '../../src/jobs/worker-messages.ts';
import { cannot, type ErrorDocument, HoldfastError } from '../../src/kernel/errors.ts';
import { projectRoot } from '../support/sandbox.ts';

/** A system call that the kernel answers with an error, as the tracer of a real worker arranges it. */
export interface Injection {
  /** As strace names them. */
  readonly calls: string;
  readonly error: string;
  /** Which of them, counted from 1, in each thread; and all after it. */
  readonly from: number;
  readonly lasting: boolean;
}

const STRACE = '/usr/bin/strace';

/** Whether the kernel lets processes be traced here. */
export function canTrace(): boolean {
  if (!existsSync(STRACE)) return false;
  try {
    execFileSync(STRACE, ['-qq', '-o', '/dev/null', '/bin/true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

interface Ended {
  readonly result: Record<string, any> | null;
  readonly error: ErrorDocument | null;
}

/** Runs one job in a real worker under strace. @throws what the job failed of; WORKER_CRASHED */
export async function runTraced(
  start: WorkerStart,
  options: readonly string[],
): Promise<Record<string, any>> {
  const worker = join(projectRoot, 'dist/worker.js');
  const child = fork(worker, [], {
    execPath: STRACE,
    execArgv: ['-f', '-qq', '--seccomp-bpf', ...options, process.execPath, '--expose-gc'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const { result, error } = await new Promise<Ended>((resolve) => {
    let last: Ended = { result: null, error: null };
    child.on('message', (message: { type: string } & Partial<Ended>) => {
      if (message.type === 'result') last = { result: message.result ?? {}, error: null };
      if (message.type === 'failed') last = { result: null, error: message.error ?? null };
    });
    // A failed send is told by the end of the process.
    child.on('error', () => {});
    child.on('close', () => resolve(last));
    child.send(start, () => {});
  });
  if (error !== null) throw HoldfastError.fromDocument(error);
  if (result === null) throw cannot('WORKER_CRASHED', 'run job', start.kind, 'no result');
  return result;
}

export const injecting = ({ calls, error, from, lasting }: Injection): string[] => [
  '-o',
  '/dev/null',
  '-e',
  `trace=${calls}`,
  '-e',
  `inject=${calls}:error=${error}:when=${from}${lasting ? '+' : ''}`,
];

/** How many calls of each name the thread that makes most of them makes. */
export async function countCalls(
  run: (options: readonly string[]) => Promise<unknown>,
  calls: string,
  log: string,
): Promise<number> {
  await run(['-o', log, '-e', `trace=${calls}`]);
  const perThread = new Map<string, number>();
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const [thread] = line.split(/\s/, 1);
    if (!line.includes('(') || line.includes('resumed>')) continue;
    perThread.set(thread!, (perThread.get(thread!) ?? 0) + 1);
  }
  rmSync(log);
  return Math.max(0, ...perThread.values());
}
