import type { Clock, Timer } from '../kernel/clock.ts';
import { cannot, type ErrorDocument } from '../kernel/errors.ts';
import { killProcessGroup, residentBytes } from './process-group.ts';

/**
 * Ends a worker that was cancelled, is past its deadline, or takes too much memory: asked first, killed after
 * the grace. A worker inside a section that must not be cut is left alone for a while, not for ever.
 */
export interface WorkerWatchOptions {
  /** Undefined when the process did not start: then nothing is watched. */
  readonly pid: number | undefined;
  readonly clock: Clock;
  readonly deadlineMs: number | null;
  readonly memoryBytesMax: number | null;
  readonly graceMs: number;
  readonly ask: (reason: 'cancelled' | 'deadline') => void;
}

type StopReason = 'cancelled' | 'deadline' | 'memory';

/** Short against the seconds in which a process can fill a host; one look costs some 30 µs. */
const MEMORY_CHECK_MS = 250;
/** The longest that an uncancellable section holds off a kill. */
export const SECTION_MS_MAX = 60_000;

export class WorkerWatch {
  readonly #options: WorkerWatchOptions;
  readonly #timers = new Set<Timer>();
  #stopReason: StopReason | null = null;
  #killed = false;
  #memoryBytes = 0;
  #sectionSinceMs: number | null = null;
  #stopped = false;

  constructor(options: WorkerWatchOptions) {
    this.#options = options;
    if (options.pid === undefined) return;
    if (options.deadlineMs !== null) this.#after(options.deadlineMs, () => this.#stop('deadline'));
    if (options.memoryBytesMax !== null) this.#checkMemory(options.pid, options.memoryBytesMax);
  }

  cancel(): void {
    this.#stop('cancelled');
  }

  /** The worker has said its last word: it ends by itself within the grace, or is ended. */
  expectExit(): void {
    this.#after(this.#options.graceMs, () => this.#kill());
  }

  setCancellable(cancellable: boolean): void {
    this.#sectionSinceMs = cancellable
      ? null
      : (this.#sectionSinceMs ?? this.#options.clock.monotonicMs());
  }

  /** Forgets all timers. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  /** Why the worker was told to stop, as the error of its job; null if it was not. */
  stopError(kind: string): ErrorDocument | null {
    const { deadlineMs, memoryBytesMax, graceMs } = this.#options;
    const how = this.#killed ? `; it did not stop within ${graceMs} ms and was killed` : '';
    switch (this.#stopReason) {
      case null:
        return null;
      case 'cancelled':
        return cannot('CANCELLED', 'finish job', kind, `it was cancelled${how}`).toDocument();
      case 'deadline':
        return cannot('TIMEOUT', 'finish job', kind, `it ran longer than ${deadlineMs} ms${how}`, {
          hint: 'Raise its deadline if the work needs longer.',
          retryable: true,
          details: { deadlineMs, killed: this.#killed },
        }).toDocument();
      case 'memory': {
        const state = `its worker took ${this.#memoryBytes} bytes of memory and was killed`;
        return cannot('LIMIT_EXCEEDED', 'finish job', kind, state, {
          hint: 'Raise worker.memoryBytesMax if the host can spare it.',
          details: { memoryBytes: this.#memoryBytes, memoryBytesMax },
        }).toDocument();
      }
    }
  }

  #stop(reason: Exclude<StopReason, 'memory'>): void {
    if (this.#stopReason !== null || this.#stopped) return;
    this.#stopReason = reason;
    this.#options.ask(reason);
    this.#after(this.#options.graceMs, () => this.#killWhenAllowed());
  }

  #killWhenAllowed(): void {
    const { clock, graceMs } = this.#options;
    const since = this.#sectionSinceMs;
    if (since !== null && clock.monotonicMs() - since < SECTION_MS_MAX) {
      this.#after(Math.max(graceMs, 1), () => this.#killWhenAllowed());
      return;
    }
    this.#kill();
  }

  #checkMemory(pid: number, bytesMax: number): void {
    const bytes = residentBytes(pid);
    // Without /proc there is nothing to watch.
    if (bytes === null) return;
    if (bytes > bytesMax) {
      this.#stopReason = 'memory';
      this.#memoryBytes = bytes;
      this.#kill();
      return;
    }
    this.#after(MEMORY_CHECK_MS, () => this.#checkMemory(pid, bytesMax));
  }

  #kill(): void {
    this.#killed = true;
    if (this.#options.pid !== undefined) killProcessGroup(this.#options.pid);
  }

  #after(delayMs: number, callback: () => void): void {
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
  }
}
