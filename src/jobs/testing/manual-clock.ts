import type { Clock, Timer } from '../../kernel/clock.ts';

/** A clock that stands still until it is moved; due callbacks run in order while it moves. */
export class ManualClock implements Clock {
  #now = 1_800_000_000_000;
  #monotonic = 0;
  #timers: { dueMs: number; callback: () => void }[] = [];

  nowMs(): number {
    return this.#now;
  }

  monotonicMs(): number {
    return this.#monotonic;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { dueMs: this.#monotonic + Math.max(delayMs, 0), callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((each) => each !== timer);
      },
    };
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  advance(byMs: number): void {
    const until = this.#monotonic + byMs;
    for (;;) {
      const due = this.#timers
        .filter(({ dueMs }) => dueMs <= until)
        .sort((left, right) => left.dueMs - right.dueMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((each) => each !== due);
      this.#move(due.dueMs - this.#monotonic);
      due.callback();
    }
    this.#move(until - this.#monotonic);
  }

  #move(byMs: number): void {
    this.#now += byMs;
    this.#monotonic += byMs;
  }
}
