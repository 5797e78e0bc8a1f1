/**
 * When changes become a snapshot: a pure state machine. It is told of changes and of snapshots, with the time, and
 * says when one is due; it has no timers. Times are monotonic milliseconds.
 *
 * A snapshot is due once nothing changed for `quietMs`, at the latest `maxWaitMs` after the first change, but not
 * within `minGapMs` of the one before, nor while one is under way. Changes during one are kept for the next.
 */
export interface DebounceOptions {
  readonly quietMs: number;
  readonly maxWaitMs: number;
  readonly minGapMs: number;
  /** A snapshot under way that nobody reports the end of is given up after this long. */
  readonly underWayMsMax: number;
}

/** Between attempts after failures: doubled each time, up to half an hour. */
const RETRY_MS_MIN = 60_000;
const RETRY_MS_MAX = 30 * 60_000;

export class ChangeDebouncer {
  readonly #options: DebounceOptions;
  #firstChangeMs: number | null = null;
  #lastChangeMs = 0;
  #startedMs: number | null = null;
  #underWaySinceMs: number | null = null;
  #failures = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(options: DebounceOptions) {
    this.#options = options;
  }

  isUnderWay(nowMs: number): boolean {
    return (
      this.#underWaySinceMs !== null && nowMs < this.#underWaySinceMs + this.#options.underWayMsMax
    );
  }

  noteChange(nowMs: number): void {
    this.#firstChangeMs ??= nowMs;
    this.#lastChangeMs = nowMs;
  }

  /** As long after the first change as a snapshot may come: one is due at once. */
  noteOverdue(nowMs: number): void {
    this.#firstChangeMs = nowMs - this.#options.maxWaitMs;
    this.#lastChangeMs = nowMs;
  }

  /** When a snapshot is due; null while nothing changed. The end of one under way may bring it forward. */
  dueAtMs(): number | null {
    if (this.#firstChangeMs === null) return null;
    const { quietMs, maxWaitMs, minGapMs, underWayMsMax } = this.#options;
    return Math.max(
      Math.min(this.#lastChangeMs + quietMs, this.#firstChangeMs + maxWaitMs),
      this.#startedMs === null ? Number.NEGATIVE_INFINITY : this.#startedMs + minGapMs,
      this.#underWaySinceMs === null
        ? Number.NEGATIVE_INFINITY
        : this.#underWaySinceMs + underWayMsMax,
      this.#notBeforeMs,
    );
  }

  /** Takes the pending changes if a snapshot is due. begin() or dismiss() must follow; until then nothing is due. */
  take(nowMs: number): boolean {
    const dueAtMs = this.dueAtMs();
    if (dueAtMs === null || nowMs < dueAtMs) return false;
    this.#firstChangeMs = null;
    this.#underWaySinceMs = nowMs;
    return true;
  }

  /** A snapshot of what was taken is on its way; noteSuccess() or noteFailure() tells its end. */
  begin(nowMs: number): void {
    this.#startedMs = nowMs;
    this.#underWaySinceMs = nowMs;
  }

  /** What was taken needs no snapshot: it does not count for the gap. */
  dismiss(): void {
    this.#underWaySinceMs = null;
  }

  noteSuccess(): void {
    this.#underWaySinceMs = null;
    this.#failures = 0;
    this.#notBeforeMs = Number.NEGATIVE_INFINITY;
  }

  /** The changes are still to be captured: due again after a delay that grows with each failure. */
  noteFailure(nowMs: number): void {
    this.#underWaySinceMs = null;
    this.#failures += 1;
    const delayMs = Math.min(RETRY_MS_MIN * 2 ** Math.min(this.#failures - 1, 16), RETRY_MS_MAX);
    this.#notBeforeMs = nowMs + delayMs;
    this.noteChange(nowMs);
  }
}
