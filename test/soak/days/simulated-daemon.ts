import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { JobDocument } from '../../../src/protocol/method-map.ts';
import { connect, type RpcClient } from '../../../src/rpc/client.ts';
import type { OrderedKill } from './ordered-kill.ts';
import { TimeTable } from './time-table.ts';

interface Places {
  readonly root: string;
  readonly program: string;
  readonly config: string;
  readonly socket: string;
}

const START_TIMEOUT_MS = 120_000;
const START_LOOK_MS = 20;

/** A daemon process whose clock the test moves, with its workers; its end, its crash and its next start. */
export class SimulatedDaemon {
  readonly #places: Places;
  readonly #times: string;
  readonly #killFile: string;
  readonly logFile: string;
  #child: ChildProcess | null = null;
  #client: RpcClient | null = null;
  #nowMs: number;

  constructor(places: Places, startMs: number) {
    this.#places = places;
    this.#times = join(places.root, 'times');
    this.#killFile = join(places.root, 'kill.json');
    this.logFile = join(places.root, 'daemon.log');
    this.#nowMs = startMs;
    this.#note();
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get isUp(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** Starts it; resolves when it is ready and everything it does at its start is done. */
  async start(): Promise<void> {
    const { program, config } = this.#places;
    const log = openSync(this.logFile, 'a');
    this.#child = fork(program, [], {
      env: {
        ...process.env,
        HOLDFAST_CONFIG: config,
        SOAK_TIMES: this.#times,
        SOAK_START_MS: String(this.#nowMs),
        SOAK_KILL: this.#killFile,
      },
      stdio: ['ignore', log, log, 'ipc'],
      execArgv: [],
    });
    closeSync(log);
    const startMs = performance.now();
    while (!(await this.#isReady())) {
      if (!this.isUp || performance.now() - startMs > START_TIMEOUT_MS) {
        throw new Error(`The daemon does not become ready:\n${this.logTail()}`);
      }
      await pause(START_LOOK_MS);
    }
    await this.advanceTo(this.#nowMs);
  }

  async #isReady(): Promise<boolean> {
    const client = await this.client().catch(() => null);
    return client !== null && (await client.call('daemon.status', {})).ready;
  }

  /** Lets time pass; false where the daemon ended on the way. */
  async advanceTo(wallMs: number): Promise<boolean> {
    return this.#tell({ advanceTo: wallMs });
  }

  /** Sets the clock on the wall, without time passing; then all that follows from it is done. */
  async setWall(wallMs: number): Promise<boolean> {
    return this.#tell({ setWall: wallMs });
  }

  async #tell(message: object): Promise<boolean> {
    const child = this.#child!;
    if (!this.isUp) return false;
    const answer = await new Promise<{ nowMs: number } | null>((resolve) => {
      const onMessage = (message: unknown): void => settle(message as { nowMs: number });
      const onExit = (): void => settle(null);
      const settle = (value: { nowMs: number } | null): void => {
        child.off('message', onMessage).off('exit', onExit);
        resolve(value);
      };
      child.once('message', onMessage).once('exit', onExit);
      child.send(message, () => {});
    });
    if (answer === null) return false;
    this.#nowMs = answer.nowMs;
    return true;
  }

  async client(): Promise<RpcClient> {
    if (this.#client !== null && !this.#client.closed) return this.#client;
    const identity = { name: 'soak', version: '0' };
    const { client } = await connect(this.#places.socket, { timeoutMs: 30_000, client: identity });
    this.#client = client;
    return client;
  }

  /** Submits, and lets the job and what follows from it end. */
  async run(submit: (client: RpcClient) => Promise<{ job: JobDocument }>): Promise<JobDocument> {
    const client = await this.client();
    const { job } = await submit(client);
    await this.advanceTo(this.#nowMs);
    return (await this.client()).call('job.get', { id: job.id });
  }

  /** Who ends, at which durable step of the next job of a kind. */
  orderKill(order: OrderedKill): void {
    writeFileSync(this.#killFile, JSON.stringify(order));
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#client?.close();
    this.#client = null;
    const child = this.#child;
    if (child === null) return;
    if (this.isUp) {
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
    }
    this.#child = null;
  }

  /** Time that passes while there is no daemon. */
  sleepUntil(wallMs: number): void {
    this.#nowMs = wallMs;
    this.#note();
  }

  /** The end of its log, for whoever has to find out what happened. */
  logTail(): string {
    return readFileSync(this.logFile, 'utf8').split('\n').slice(-30).join('\n');
  }

  #note(): void {
    const table = new TimeTable(this.#times);
    table.note(this.#nowMs);
    table.close();
  }
}
