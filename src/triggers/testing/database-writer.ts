import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The other end of database-writer.mjs. */
export class DatabaseWriter {
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async open(path: string, journalMode: 'wal' | 'delete'): Promise<DatabaseWriter> {
    const script = fileURLToPath(new URL('database-writer.mjs', import.meta.url));
    const child = fork(script, [path, journalMode], { execArgv: [] });
    await once(child, 'message');
    return new DatabaseWriter(child);
  }

  async tell(message: Record<string, unknown>): Promise<Record<string, unknown>> {
    const answer = once(this.#child, 'message');
    this.#child.send(message);
    return ((await answer) as [Record<string, unknown>])[0];
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}
