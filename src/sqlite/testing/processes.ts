import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const childScript = fileURLToPath(new URL('./sqlite-child.mjs', import.meta.url));
const bankScript = fileURLToPath(new URL('../../../test/support/bank-writer.mjs', import.meta.url));

export const BANK_TOTAL = 100 * 1000;

/** Another process with one SQLite connection, which does what it is told. */
export class SqliteChild {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  static start(): SqliteChild {
    return new SqliteChild(fork(childScript, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }));
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** @returns the code of the error, or null */
  async attempt(message: Record<string, unknown>): Promise<string | null> {
    const answered = once(this.#process, 'message');
    this.#process.send(message);
    const [answer] = (await answered) as [{ error?: string }];
    return answer.error ?? null;
  }

  async open(path: string, options: Record<string, unknown> = {}): Promise<void> {
    const error = await this.attempt({ open: path, options });
    if (error !== null) throw new Error(error);
  }

  async exec(sql: string): Promise<void> {
    const error = await this.attempt({ exec: sql });
    if (error !== null) throw new Error(`${error}: ${sql}`);
  }

  /** Closes the connection as an application does that ends in order. */
  async close(): Promise<void> {
    await this.attempt({ close: true });
    await this.kill();
  }

  /** A crash: nothing is closed, rolled back or checkpointed. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }
}

/** Starts a process that moves money without a pause; resolves once it does. */
export async function startBankWriter(
  path: string,
  journalMode: 'wal' | 'delete',
  seed: number,
): Promise<{ stop(): Promise<number> }> {
  const child = spawn(process.execPath, [bankScript, path, journalMode, String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    output += text;
  });
  await once(child.stdout, 'data');
  return {
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
      return Number(output.trim().split('\n').at(-1));
    },
  };
}
