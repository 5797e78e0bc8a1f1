import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';

/**
 * What the simulated clock showed at which real moment, in a file that several processes share: pairs of doubles, real
 * and simulated epoch ms, ascending by the first. It is what file times are translated by.
 */

const ENTRY_BYTES = 16;
/** Jumps that follow each other faster than this are one. */
const MERGE_MS = 5;
/** What passes for real is real that far into the future; later times were set from simulated ones. */
const FUTURE_MS = 86_400_000;
/** Real time goes on between two jumps: file times stay distinct, and hardly move. */
const SLOWDOWN = 1000;

export class TimeTable {
  readonly #path: string;
  #real: number[] = [];
  #simulated: number[] = [];
  #descriptor: number | null = null;

  constructor(path: string) {
    this.#path = path;
    if (existsSync(path)) this.#load(readFileSync(path));
  }

  #load(bytes: Buffer): void {
    for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
      this.#real.push(bytes.readDoubleLE(at));
      this.#simulated.push(bytes.readDoubleLE(at + 8));
    }
  }

  /** What it showed last. */
  get nowMs(): number {
    return this.#simulated.at(-1)!;
  }

  note(simulatedMs: number): void {
    this.#descriptor ??= openSync(this.#path, existsSync(this.#path) ? 'r+' : 'w+');
    const realMs = performance.timeOrigin + performance.now();
    const last = this.#real.length - 1;
    const isMerged = last > 0 && realMs - this.#real[last]! < MERGE_MS;
    const index = isMerged ? last : last + 1;
    this.#real[index] = isMerged ? this.#real[last]! : realMs;
    this.#simulated[index] = simulatedMs;
    const entry = Buffer.alloc(ENTRY_BYTES);
    entry.writeDoubleLE(this.#real[index]!, 0);
    entry.writeDoubleLE(simulatedMs, 8);
    writeSync(this.#descriptor, entry, 0, ENTRY_BYTES, index * ENTRY_BYTES);
  }

  /** A file time as the simulated clock has it, in ns. */
  simulatedNs(realNs: bigint): bigint {
    const realMs = Number(realNs / 1_000_000n);
    if (this.#real.length === 0 || realMs > Date.now() + FUTURE_MS) return realNs;
    let [low, high] = [0, this.#real.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#real[middle]! <= realMs) low = middle;
      else high = middle - 1;
    }
    const sinceNs = realNs - BigInt(Math.round(this.#real[low]!)) * 1_000_000n;
    return BigInt(Math.round(this.#simulated[low]!)) * 1_000_000n + sinceNs / BigInt(SLOWDOWN);
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}
