import type { LogStream } from '../kernel/activity.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { JobLogLine } from './job.ts';
import type { JobLogStore, NewLogLine } from './job-log-store.ts';
import { splitLine } from './line-splitter.ts';

/** Each flush is one synced commit: a worker that floods its output must not cost one per line. */
const FLUSH_DELAY_MS = 100;
const FLUSH_LINES = 256;
const FLUSH_BYTES = 256 * 1024;
/** While state.db cannot be written (disk full), this much is held back; what comes after is counted. */
const HELD_LINES_MAX = 2 * FLUSH_LINES;
const RETRY_DELAY_MS = 1_000;

export interface LogBufferOptions {
  readonly jobId: string;
  readonly store: JobLogStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called with lines once they are durable. */
  readonly onKept: (lines: readonly JobLogLine[]) => void;
}

/** Gathers the lines of one running job into few transactions. */
export class JobLogBuffer {
  readonly #options: LogBufferOptions;
  #lines: NewLogLine[] = [];
  #bytes = 0;
  #lost = 0;
  #full = false;
  #failing = false;
  #timer: Timer | null = null;

  constructor(options: LogBufferOptions) {
    this.#options = options;
  }

  add(stream: LogStream, message: string): void {
    if (this.#full) return;
    for (const line of message.split('\n')) {
      for (const piece of splitLine(line)) this.#push(stream, piece);
    }
  }

  #push(stream: LogStream, message: string): void {
    if (this.#lines.length >= HELD_LINES_MAX || (this.#failing && this.#bytes >= FLUSH_BYTES)) {
      this.#lost += 1;
      return;
    }
    this.#lines.push({ at: this.#options.clock.nowMs(), stream, message });
    this.#bytes += Buffer.byteLength(message);
    const due = this.#lines.length >= FLUSH_LINES || this.#bytes >= FLUSH_BYTES;
    if (due && !this.#failing) this.flush();
    else this.#timer ??= this.#flushLater(FLUSH_DELAY_MS);
  }

  /** Makes what is held durable; kept for the next try where that fails. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#lines.length === 0 || this.#full) return;
    const { jobId, store, clock, logger, onKept } = this.#options;
    if (this.#lost > 0) {
      const message = `${this.#lost} lines were lost while state.db could not be written.`;
      this.#lines.push({ at: clock.nowMs(), stream: 'event', message });
    }
    const lines = this.#lines;
    let kept: JobLogLine[];
    try {
      kept = store.append(jobId, lines);
    } catch (error) {
      // The job matters more than its log: it goes on, and the lines wait.
      if (!this.#failing) logger.error({ jobId, error: messageOf(error) }, 'Cannot keep a job log');
      if (this.#lost > 0) this.#lines.pop();
      this.#failing = true;
      this.#timer = this.#flushLater(RETRY_DELAY_MS);
      return;
    }
    this.#failing = false;
    this.#lost = 0;
    this.#lines = [];
    this.#bytes = 0;
    this.#full = kept.length < lines.length;
    if (kept.length > 0) onKept(kept);
  }

  /** The last flush; nothing is held or timed afterwards. */
  close(): void {
    this.flush();
    this.#timer?.cancel();
    this.#timer = null;
    this.#full = true;
  }

  #flushLater(delayMs: number): Timer {
    return this.#options.clock.after(delayMs, () => this.flush(), { unref: true });
  }
}
