import type { Clock, Timer } from '../../../src/kernel/clock.ts';
import type { TimeTable } from './time-table.ts';

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly delayMs: number;
  readonly callback: () => void;
}

/** As often the daemon looks how late its timers come, and does no more: nothing follows from it. */
const TICK_MS = 500;

/** Stands still while anything is done, and jumps from timer to timer otherwise. The wall may be set. */
export class JumpClock implements Clock {
  readonly #table: TimeTable;
  readonly #pending = new Set<Pending>();
  #wallMs: number;
  #monotonicMs = 0;
  #order = 0;

  constructor(wallMs: number, table: TimeTable) {
    this.#wallMs = wallMs;
    this.#table = table;
    table.note(wallMs);
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const atMs = this.#monotonicMs + Math.max(0, delayMs);
    const pending = { atMs, order: this.#order++, delayMs, callback };
    this.#pending.add(pending);
    return { cancel: () => this.#pending.delete(pending) };
  }

  setWall(wallMs: number): void {
    this.#wallMs = wallMs;
    this.#table.note(wallMs);
  }

  /** Moves on to `wallMs`; what falls due is done, to its end, before the next jump. */
  async advanceTo(wallMs: number, settle: () => Promise<void>): Promise<void> {
    await settle();
    const endMs = this.#monotonicMs + (wallMs - this.#wallMs);
    for (;;) {
      const next = this.#next();
      if (next === undefined || next.atMs > endMs) break;
      this.#pending.delete(next);
      this.#move(next.atMs - this.#monotonicMs);
      next.callback();
      if (next.delayMs > TICK_MS) await settle();
    }
    this.#move(endMs - this.#monotonicMs);
    await settle();
  }

  #next(): Pending | undefined {
    let next: Pending | undefined;
    for (const each of this.#pending) {
      if (next === undefined || each.atMs < next.atMs) next = each;
      else if (each.atMs === next.atMs && each.order < next.order) next = each;
    }
    return next;
  }

  #move(durationMs: number): void {
    if (durationMs <= 0) return;
    this.#monotonicMs += durationMs;
    this.#wallMs += durationMs;
    this.#table.note(this.#wallMs);
  }
}
