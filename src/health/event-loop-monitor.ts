import type { Clock, Timer } from '../kernel/clock.ts';
import type { Service } from '../kernel/service.ts';

const TICK_MS = 500;
const WINDOW_MS = 60_000;
/** Later than this, the process is taken for stuck. */
const LAG_MS_MAX = 10_000;

export interface EventLoopLag {
  readonly live: boolean;
  readonly eventLoopLagMs: number;
  /** At worst within about the last minute. */
  readonly eventLoopLagMsMax: number;
}

/** Measures how late timers come: how long a client's request would have waited at that moment. */
export class EventLoopMonitor implements Service {
  readonly name = 'event-loop';
  readonly #clock: Clock;
  #timer: Timer | null = null;
  #dueMs = 0;
  #lagMs = 0;
  #worstMs = 0;
  #worstBeforeMs = 0;
  #windowStartMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): Promise<void> {
    if (this.#timer === null) {
      this.#windowStartMs = this.#clock.monotonicMs();
      this.#schedule();
    }
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    return Promise.resolve();
  }

  read(): EventLoopLag {
    const overdueMs =
      this.#timer === null ? 0 : Math.max(this.#clock.monotonicMs() - this.#dueMs, 0);
    const eventLoopLagMs = Math.max(this.#lagMs, overdueMs);
    return {
      live: eventLoopLagMs < LAG_MS_MAX,
      eventLoopLagMs,
      eventLoopLagMsMax: Math.max(this.#worstMs, this.#worstBeforeMs, overdueMs),
    };
  }

  #schedule(): void {
    this.#dueMs = this.#clock.monotonicMs() + TICK_MS;
    this.#timer = this.#clock.after(TICK_MS, () => this.#tick(), { unref: true });
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#lagMs = Math.max(nowMs - this.#dueMs, 0);
    if (nowMs - this.#windowStartMs >= WINDOW_MS) {
      this.#worstBeforeMs = this.#worstMs;
      this.#worstMs = 0;
      this.#windowStartMs = nowMs;
    }
    this.#worstMs = Math.max(this.#worstMs, this.#lagMs);
    this.#schedule();
  }
}
