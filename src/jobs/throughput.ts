/** Speed over the last seconds, from pairs of time and bytes done. */

const WINDOW_MS = 10_000;
/** Below this the figure would jump about. */
const STABLE_MS = 2_000;
/** Samples closer together than this replace each other, which bounds their number. */
const SAMPLE_GAP_MS = 200;

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

export class Throughput {
  #samples: Sample[] = [];

  add(atMs: number, bytes: number): void {
    // A new phase counts from the start again: what it is compared with must too.
    if (bytes < (this.#samples.at(-1)?.bytes ?? 0)) this.#samples = [];
    const previous = this.#samples.at(-2);
    if (previous !== undefined && atMs - previous.atMs < SAMPLE_GAP_MS) this.#samples.pop();
    this.#samples.push({ atMs, bytes });
    while (this.#samples.length > 2 && atMs - this.#samples[1]!.atMs >= WINDOW_MS) {
      this.#samples.shift();
    }
  }

  /** Bytes per second up to now, so that a stall shows; null until it means something. */
  bytesPerSecond(nowMs: number): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined) return null;
    const elapsedMs = nowMs - first.atMs;
    return elapsedMs < STABLE_MS
      ? null
      : Math.round(((last.bytes - first.bytes) * 1_000) / elapsedMs);
  }
}
