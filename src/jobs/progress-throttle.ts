import type { ProgressCounts } from '../kernel/activity.ts';
import type { Clock, Timer } from '../kernel/clock.ts';

/** About ten messages a second over the channel, however often an engine reports; the last one always leaves. */
const INTERVAL_MS = 100;

export class ProgressThrottle {
  readonly #clock: Clock;
  readonly #send: (counts: Partial<ProgressCounts>) => void;
  #pending: Partial<ProgressCounts> | null = null;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;

  constructor(clock: Clock, send: (counts: Partial<ProgressCounts>) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  report(counts: Partial<ProgressCounts>): void {
    this.#pending = { ...this.#pending, ...counts };
    const waitMs = this.#sentAtMs + INTERVAL_MS - this.#clock.monotonicMs();
    if (waitMs <= 0) {
      this.flush();
      return;
    }
    this.#timer ??= this.#clock.after(waitMs, () => this.flush(), { unref: true });
  }

  /** Sends what is held back. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#pending === null) return;
    const counts = this.#pending;
    this.#pending = null;
    this.#sentAtMs = this.#clock.monotonicMs();
    this.#send(counts);
  }
}
