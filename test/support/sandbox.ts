import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connect, type RpcClient } from '../../src/rpc/client.ts';

/** The built program as its users run it: a daemon process, its socket, its command line, its own directories. */

export const projectRoot = fileURLToPath(new URL('../..', import.meta.url));
export const holdfastBin = join(projectRoot, 'bin/holdfast');

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningDaemon {
  readonly process: ChildProcess;
  /** Every line of its log so far, newest last. */
  readonly log: Record<string, unknown>[];
  /** Resolves with the first line, past or future, whose message is `message`. */
  logged(message: string): Promise<Record<string, unknown>>;
  /** Resolves with the exit code or signal. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export class Sandbox {
  readonly root = mkdtempSync(join(tmpdir(), 'holdfast-system-'));
  readonly data = join(this.root, 'data');
  readonly state = join(this.root, 'state');
  readonly repository = join(this.root, 'repository');
  readonly socket = join(this.root, 'run/holdfast.sock');
  readonly config = join(this.root, 'holdfast.json');
  readonly #children = new Set<ChildProcess>();
  readonly #clients = new Set<RpcClient>();

  /** Writes the configuration; YAML is a superset of JSON. `source` is merged into the only source. */
  async configure(
    source: Record<string, unknown> = {},
    rest: Record<string, unknown> = {},
  ): Promise<void> {
    await mkdir(this.data, { recursive: true });
    const document = {
      stateDirectory: this.state,
      repositoryDirectory: this.repository,
      socketPath: this.socket,
      ...rest,
      sources: [
        {
          name: 'app',
          roots: [{ class: 'data', path: this.data }],
          watch: { enabled: false },
          schedules: [],
          ...source,
        },
      ],
    };
    await writeFile(this.config, JSON.stringify(document));
  }

  get environment(): NodeJS.ProcessEnv {
    const { HOLDFAST_SOCKET: _socket, HOLDFAST_CONFIG: _config, ...rest } = process.env;
    return { ...rest, HOLDFAST_CONFIG: this.config, NO_COLOR: '1' };
  }

  /** Starts a daemon without waiting for it. */
  launch(options: { environment?: NodeJS.ProcessEnv; prefix?: string[] } = {}): RunningDaemon {
    const [program, ...args] = [...(options.prefix ?? []), process.execPath, holdfastBin, 'daemon'];
    const child = spawn(program!, args, {
      env: { ...this.environment, ...options.environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#children.add(child);
    return followDaemon(child);
  }

  /** Starts a daemon and waits until it is ready. */
  async start(
    options: { environment?: NodeJS.ProcessEnv; prefix?: string[] } = {},
  ): Promise<RunningDaemon> {
    const daemon = this.launch(options);
    await Promise.race([
      daemon.logged('ready'),
      daemon.ended.then(({ code, signal }) => {
        throw new Error(`The daemon ended (${code ?? signal}) before it was ready`);
      }),
    ]);
    return daemon;
  }

  /** A connection to the daemon, closed with the sandbox. */
  async client(): Promise<RpcClient> {
    const { client } = await connect(this.socket, {
      timeoutMs: 10_000,
      client: { name: 'holdfast-tests', version: '0' },
    });
    this.#clients.add(client);
    return client;
  }

  /** Runs `holdfast <args>` to its end. */
  run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [holdfastBin, ...args],
        { env: { ...this.environment, ...environment }, maxBuffer: 64 * 1024 * 1024 },
        (error, stdout, stderr) => {
          const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
          resolve({ exitCode, stdout, stderr });
        },
      );
    });
  }

  /** Runs a command with `--json` and parses its document. @throws when it does not exit with `exitCode` */
  async json(args: readonly string[], exitCode = 0): Promise<Record<string, any>> {
    const result = await this.run([...args, '--json']);
    if (result.exitCode !== exitCode) {
      throw new Error(
        `holdfast ${args.join(' ')} exited ${result.exitCode}, not ${exitCode}:\n${result.stdout}${result.stderr}`,
      );
    }
    return JSON.parse(result.stdout);
  }

  /** Starts any other child that must not outlive the test. */
  spawn(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.add(child);
    return child;
  }

  /** A live application on `path`; resolves once its schema is there. See bank-writer.mjs. */
  async startBank(
    path: string,
    journalMode: 'wal' | 'delete',
    seed: number,
  ): Promise<ChildProcess> {
    const script = fileURLToPath(new URL('bank-writer.mjs', import.meta.url));
    const child = this.spawn(process.execPath, [script, path, journalMode, String(seed)]);
    await firstLine(child);
    return child;
  }

  async dispose(): Promise<void> {
    for (const client of this.#clients) client.close();
    for (const child of this.#children) await stopChild(child, 'SIGKILL');
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Ends a child and waits for its end. */
export async function stopChild(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

async function firstLine(child: ChildProcess): Promise<void> {
  await Promise.race([
    once(child.stdout!, 'data'),
    once(child, 'exit').then(() => {
      throw new Error('The child ended before its first line');
    }),
  ]);
  child.stdout!.resume();
}

function followDaemon(child: ChildProcess): RunningDaemon {
  const log: Record<string, unknown>[] = [];
  const waiting = new Map<string, ((line: Record<string, unknown>) => void)[]>();
  createInterface({ input: child.stdout! }).on('line', (text) => {
    const line = JSON.parse(text) as Record<string, unknown>;
    log.push(line);
    const message = String(line['msg']);
    for (const resolve of waiting.get(message) ?? []) resolve(line);
    waiting.delete(message);
  });
  const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  return {
    process: child,
    log,
    ended,
    logged(message) {
      const past = log.find((line) => line['msg'] === message);
      if (past !== undefined) return Promise.resolve(past);
      return new Promise((resolve) => {
        waiting.set(message, [...(waiting.get(message) ?? []), resolve]);
      });
    },
  };
}
