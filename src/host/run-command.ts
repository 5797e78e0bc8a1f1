import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../kernel/clock.ts';
import { cannot, systemCode } from '../kernel/errors.ts';

/** Runs a command of the operator's: in its own process group, for a bounded time, with next to no environment. */

/** Text goes to /bin/sh; a list is run as it is. */
export type Command = string | readonly string[];

export interface CommandOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Aborted: the command is ended. */
  readonly signal?: AbortSignal;
  readonly directory?: string;
  /** On top of PATH, HOME, LANG and TZ. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Each line of its output, as it comes; long ones are cut. */
  readonly onLine?: (stream: 'stdout' | 'stderr', line: string) => void;
}

export interface CommandResult {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly cancelled: boolean;
  /** The end of what it wrote, both streams together. */
  readonly tail: string;
  readonly durationMs: number;
}

const SHELL = '/bin/sh';
const TAIL_BYTES_MAX = 4096;
const LINE_CHARACTERS_MAX = 8192;
const GRACE_MS = 5_000;
/** After its end, for what it started in the background to let go of the pipes. */
const PIPE_WAIT_MS = 1_000;
const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ'];
const PATH_DEFAULT = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function environmentOf(added: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const kept = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return { PATH: PATH_DEFAULT, ...Object.fromEntries(kept), ...added };
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

/** Keeps the last bytes of all output, and hands on each line. */
class Output {
  readonly #onLine: CommandOptions['onLine'];
  readonly #partial = { stdout: '', stderr: '' };
  #tail = Buffer.alloc(0);

  constructor(onLine: CommandOptions['onLine']) {
    this.#onLine = onLine;
  }

  get tail(): string {
    return this.#tail.toString('utf8');
  }

  add(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this.#tail = Buffer.concat([this.#tail, chunk]).subarray(-TAIL_BYTES_MAX);
    const lines = `${this.#partial[stream]}${chunk.toString('utf8')}`.split('\n');
    this.#partial[stream] = (lines.pop() ?? '').slice(0, LINE_CHARACTERS_MAX);
    for (const line of lines) this.#onLine?.(stream, line.slice(0, LINE_CHARACTERS_MAX));
  }

  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.#partial[stream] !== '') this.#onLine?.(stream, this.#partial[stream]);
    }
  }
}

function start(command: Command, { directory, environment = {} }: CommandOptions): ChildProcess {
  const [program, ...args] = typeof command === 'string' ? [SHELL, '-c', command] : command;
  return spawn(program!, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environmentOf(environment),
    ...(directory === undefined ? {} : { cwd: directory }),
  });
}

/**
 * Resolves when the command has ended, however that came about. At its deadline, or when the signal is aborted,
 * its whole group gets SIGTERM and five seconds later SIGKILL.
 * @throws IO_ERROR when it cannot be started at all
 */
export function runCommand(command: Command, options: CommandOptions): Promise<CommandResult> {
  const { clock, timeoutMs, signal, onLine } = options;
  const startedMs = clock.monotonicMs();
  const output = new Output(onLine);
  const child = start(command, options);
  let timedOut = false;
  const stopNow = (): void => {
    killGroup(child, 'SIGTERM');
    timers.push(clock.after(GRACE_MS, () => killGroup(child, 'SIGKILL')));
  };
  const timers = [
    clock.after(timeoutMs, () => {
      timedOut = true;
      stopNow();
    }),
  ];
  if (signal?.aborted === true) stopNow();
  else signal?.addEventListener('abort', stopNow, { once: true });
  child.stdout?.on('data', (chunk: Buffer) => output.add('stdout', chunk));
  child.stderr?.on('data', (chunk: Buffer) => output.add('stderr', chunk));
  return new Promise((resolve, reject) => {
    const release = (): void => {
      for (const timer of timers) timer.cancel();
      signal?.removeEventListener('abort', stopNow);
    };
    child.once('error', (error) => {
      release();
      const name = typeof command === 'string' ? SHELL : (command[0] ?? '');
      reject(cannot('IO_ERROR', 'run command', name, error.message, { cause: error }));
    });
    // What it left in the background may keep the pipes open for ever: its own end is what counts.
    child.once('exit', () => {
      timers.push(
        clock.after(PIPE_WAIT_MS, () => {
          child.stdout?.destroy();
          child.stderr?.destroy();
        }),
      );
    });
    child.once('close', (exitCode, endedBy) => {
      release();
      if (timedOut || signal?.aborted === true) killGroup(child, 'SIGKILL');
      output.end();
      resolve({
        exitCode,
        signal: endedBy,
        timedOut,
        cancelled: signal?.aborted === true,
        tail: output.tail,
        durationMs: Math.round(clock.monotonicMs() - startedMs),
      });
    });
  });
}
