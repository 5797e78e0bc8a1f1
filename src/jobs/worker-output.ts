import type { ChildProcess } from 'node:child_process';
import { LineSplitter } from './line-splitter.ts';
import type { FromWorker } from './worker-messages.ts';

/** Of the end of stderr, kept as evidence of a crash. */
const STDERR_TAIL_BYTES = 4096;

/** Turns what a worker prints into log messages, and remembers its last words. Holds one line per stream. */
export class WorkerOutput {
  readonly #child: ChildProcess;
  #stderrTail = Buffer.alloc(0);

  constructor(child: ChildProcess, onMessage: (message: FromWorker) => void) {
    this.#child = child;
    for (const stream of ['stdout', 'stderr'] as const) {
      const lines = new LineSplitter((message) => onMessage({ type: 'log', stream, message }));
      child[stream]?.on('data', (bytes: Buffer) => {
        if (stream === 'stderr') this.#remember(bytes);
        lines.push(bytes);
      });
      // After 'error' too, and after being destroyed.
      child[stream]?.on('close', () => lines.end());
      child[stream]?.on('error', () => {});
    }
  }

  get stderrTail(): string {
    return this.#stderrTail.toString('utf8');
  }

  /** Stops listening, for pipes that something else holds open. */
  destroy(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  #remember(bytes: Buffer): void {
    this.#stderrTail = Buffer.concat([this.#stderrTail, bytes]).subarray(-STDERR_TAIL_BYTES);
  }
}
