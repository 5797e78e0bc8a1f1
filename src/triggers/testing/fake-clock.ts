import { setImmediate } from 'node:timers/promises';
import type { Clock, Timer } from '../../kernel/clock.ts';

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that moves when a test says so; timers fire in order, and what they set in motion runs before the next. */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(wallMs: number) {
    this.#wallMs = wallMs;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const pending = {
      atMs: this.#monotonicMs + Math.max(0, delayMs),
      order: this.#order++,
      callback,
    };
    this.#pending.add(pending);
    return { cancel: () => this.#pending.delete(pending) };
  }

  /** Sets the wall clock without time passing. */
  setWall(wallMs: number): void {
    this.#wallMs = wallMs;
  }

  async advance(durationMs: number): Promise<void> {
    await settle();
    const endMs = this.#monotonicMs + durationMs;
    for (;;) {
      const [next] = [...this.#pending]
        .filter(({ atMs }) => atMs <= endMs)
        .sort((left, right) => left.atMs - right.atMs || left.order - right.order);
      this.#move((next?.atMs ?? endMs) - this.#monotonicMs);
      if (next === undefined) break;
      this.#pending.delete(next);
      next.callback();
      await settle();
    }
    await settle();
  }

  /** As `advance`, for those who do everything within their callbacks: nothing else gets a turn. */
  run(durationMs: number): void {
    const endMs = this.#monotonicMs + durationMs;
    for (;;) {
      let next: Pending | undefined;
      for (const pending of this.#pending) {
        if (pending.atMs > endMs) continue;
        if (next === undefined || pending.atMs < next.atMs) next = pending;
      }
      this.#move((next?.atMs ?? endMs) - this.#monotonicMs);
      if (next === undefined) return;
      this.#pending.delete(next);
      next.callback();
    }
  }

  #move(durationMs: number): void {
    this.#monotonicMs += durationMs;
    this.#wallMs += durationMs;
  }
}

async function settle(): Promise<void> {
  for (let round = 0; round < 3; round += 1) await setImmediate();
}
