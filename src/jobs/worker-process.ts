import { type ChildProcess, fork } from 'node:child_process';
import type { Clock } from '../kernel/clock.ts';
import { cannot, type ErrorDocument, messageOf, toErrorDocument } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { killHookProcesses, killProcessGroup } from './process-group.ts';
import {
  type FromWorker,
  JOB_ID_VARIABLE,
  parseFromWorker,
  SUPERVISOR_PID_VARIABLE,
  type ToWorker,
  type WorkerStart,
} from './worker-messages.ts';
import { WorkerOutput } from './worker-output.ts';
import { WorkerWatch } from './worker-watch.ts';

/**
 * Runs one job in a process of its own and always comes back: whatever the worker does (crash, hang, eat memory,
 * flood its output, leave children behind), this resolves with an outcome and nothing of the worker is left.
 * Imports the kernel and Node alone, since the command line runs jobs too when there is no daemon.
 */
export interface WorkerOptions {
  /** Absolute path of a program that calls `serveWorker`. */
  readonly entry: string;
  readonly start: WorkerStart;
  /** From the start of the process; null: as long as it takes. */
  readonly deadlineMs: number | null;
  /** Resident memory above which the worker is killed, where /proc tells; null: unlimited. */
  readonly memoryBytesMax: number | null;
  /** Between asking the worker to stop and killing it. */
  readonly graceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The whole environment of the worker: nothing is inherited beside it. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** In order; progress, log (output lines included), warn and section. The end comes as the outcome. */
  readonly onMessage: (message: FromWorker) => void;
  /** The process exists but has no work yet: work begins when this returns. */
  readonly onStarted?: (pid: number) => void;
  /** Aborted to cancel the job. */
  readonly signal?: AbortSignal;
  /** Arguments for Node itself. @default [] */
  readonly execArgv?: readonly string[];
}

export interface WorkerOutcome {
  readonly status: 'succeeded' | 'failed' | 'cancelled';
  readonly result: Record<string, unknown> | null;
  /** Set unless succeeded. WORKER_CRASHED, TIMEOUT, LIMIT_EXCEEDED, CANCELLED, or what the operation threw. */
  readonly error: ErrorDocument | null;
  readonly warnings: number;
}

/** Threads for system calls that wait, such as syncs: as many as a restore has at once. */
const WORKER_THREADS = '32';

/** For the pipes to run dry after the process has ended; a child that escaped may hold them open for ever. */
const DRAIN_MS = 1_000;

export function runWorker(options: WorkerOptions): Promise<WorkerOutcome> {
  let child: ChildProcess;
  try {
    child = fork(options.entry, [], {
      // A session of its own: a group to kill, and no signals from the terminal, which are the supervisor's.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // So that a worker can let go of large buffers before V8 would.
      execArgv: ['--expose-gc', ...(options.execArgv ?? [])],
      env: {
        // Node's default of four keeps neither a disk nor a compressor busy; it can only be set before the start.
        UV_THREADPOOL_SIZE: WORKER_THREADS,
        ...options.env,
        [JOB_ID_VARIABLE]: options.start.jobId,
        [SUPERVISOR_PID_VARIABLE]: String(process.pid),
      },
    });
  } catch (error) {
    return Promise.resolve(failure(spawnFailure(options.entry, error), 0));
  }
  return new WorkerSupervision(child, options).ended;
}

class WorkerSupervision {
  readonly ended: Promise<WorkerOutcome>;
  readonly #child: ChildProcess;
  readonly #options: WorkerOptions;
  readonly #watch: WorkerWatch;
  readonly #output: WorkerOutput;
  #last: FromWorker | null = null;
  #warnings = 0;
  #strangeMessages = 0;

  constructor(child: ChildProcess, options: WorkerOptions) {
    this.#child = child;
    this.#options = options;
    this.#watch = new WorkerWatch({
      pid: child.pid,
      clock: options.clock,
      deadlineMs: options.deadlineMs,
      memoryBytesMax: options.memoryBytesMax,
      graceMs: options.graceMs,
      ask: (reason) => this.#send({ type: 'cancel', reason }),
    });
    this.#output = new WorkerOutput(child, options.onMessage);
    this.ended = new Promise((resolve) => this.#supervise(resolve));
  }

  #supervise(resolve: (outcome: WorkerOutcome) => void): void {
    const { signal, clock, onStarted, start } = this.#options;
    const child = this.#child;
    const onAbort = (): void => this.#watch.cancel();
    let settled = false;
    const settle = (outcome: () => WorkerOutcome): void => {
      if (settled) return;
      settled = true;
      signal?.removeEventListener('abort', onAbort);
      this.#watch.stop();
      resolve(outcome());
    };
    child.on('message', (message) => this.#receive(message));
    child.on('error', (error) => {
      // Emitted for failed sends too; those of a running process end with its exit.
      if (child.pid !== undefined) return;
      settle(() => failure(spawnFailure(this.#options.entry, error), 0));
    });
    child.on('exit', (code, exitSignal) => {
      this.#watch.stop();
      if (child.pid !== undefined) killProcessGroup(child.pid);
      // One that handed over its end has waited for its hooks.
      if (this.#last === null) killHookProcesses(this.#options.start.jobId);
      const giveUp = (): void => {
        this.#output.destroy();
        if (child.connected) child.disconnect();
        settle(() => this.#outcome(code, exitSignal));
      };
      // Not at once: where this process was stalled, nothing was read yet of what lies in the pipes.
      const drained = clock.after(DRAIN_MS, () => setImmediate(giveUp));
      // After 'close' every message and all output has been read.
      child.once('close', () => {
        drained.cancel();
        settle(() => this.#outcome(code, exitSignal));
      });
    });
    if (child.pid === undefined) return;
    try {
      onStarted?.(child.pid);
    } catch (error) {
      // Nobody would know of this worker: it must not begin. Its exit settles.
      this.#last = { type: 'failed', error: toErrorDocument(error) };
      killProcessGroup(child.pid);
      return;
    }
    this.#send(start);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
  }

  #receive(value: unknown): void {
    const message = parseFromWorker(value);
    if (message === null) {
      this.#strangeMessages += 1;
      if (this.#strangeMessages > 1) return;
      const { jobId } = this.#options.start;
      this.#options.logger.warn({ jobId }, 'The worker sent a message that is not of its protocol');
      return;
    }
    if (message.type === 'result' || message.type === 'failed') {
      this.#last ??= message;
      this.#watch.expectExit();
      return;
    }
    if (message.type === 'warn') this.#warnings += 1;
    if (message.type === 'section') this.#watch.setCancellable(message.cancellable);
    this.#options.onMessage(message);
  }

  #send(message: ToWorker): void {
    // A worker that is gone cannot be told; its exit says the rest.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  #outcome(code: number | null, exitSignal: NodeJS.Signals | null): WorkerOutcome {
    const last = this.#last;
    if (last?.type === 'result') {
      const { result } = last;
      return { status: 'succeeded', result, error: null, warnings: this.#warnings };
    }
    const stopped = this.#watch.stopError(this.#options.start.kind);
    // The operation's own words, unless it merely repeats that it was stopped.
    if (last?.type === 'failed' && (stopped === null || !isEcho(last.error))) {
      return failure(last.error, this.#warnings);
    }
    if (stopped !== null) {
      const status = stopped.code === 'CANCELLED' ? 'cancelled' : 'failed';
      return { status, result: null, error: stopped, warnings: this.#warnings };
    }
    return failure(this.#crash(code, exitSignal), this.#warnings);
  }

  #crash(code: number | null, exitSignal: NodeJS.Signals | null): ErrorDocument {
    const { kind } = this.#options.start;
    const state =
      exitSignal === null
        ? `the worker ended with code ${code} and without a result`
        : `the worker was ended by ${exitSignal}`;
    return cannot('WORKER_CRASHED', 'run job', kind, state, {
      hint: 'The log of the job has its last output; what it had not made durable was not done.',
      details: { code, signal: exitSignal, stderrTail: this.#output.stderrTail },
    }).toDocument();
  }
}

/** A stopped operation throws the reason it was stopped with. */
const isEcho = (error: ErrorDocument): boolean =>
  error.code === 'CANCELLED' || error.code === 'TIMEOUT';

function failure(error: ErrorDocument, warnings: number): WorkerOutcome {
  return { status: 'failed', result: null, error, warnings };
}

function spawnFailure(entry: string, error: unknown): ErrorDocument {
  return cannot('WORKER_CRASHED', 'start worker', entry, messageOf(error), {
    hint: 'Check that the installation is complete and that the host can start processes.',
    retryable: true,
    cause: error,
  }).toDocument();
}
