import { type Clock, sleep } from '../kernel/clock.ts';

/** How fast this process may read and write the repository. Bytes per second; 0: as fast as it goes. */
export interface Bandwidth {
  readonly readBytesPerSecond: number;
  readonly writeBytesPerSecond: number;
}

/** Of one job: what is absent is the host's, 0 lifts the host's bound for this job. */
export type BandwidthChoice = {
  readonly [Field in keyof Bandwidth]?: number | undefined;
};

export function bandwidthOf(host: Bandwidth, job: BandwidthChoice = {}): Bandwidth {
  return {
    readBytesPerSecond: job.readBytesPerSecond ?? host.readBytesPerSecond,
    writeBytesPerSecond: job.writeBytesPerSecond ?? host.writeBytesPerSecond,
  };
}

/** Lets bytes through at a rate: each waits until those before it are paid for. */
class Meter {
  readonly #bytesPerSecond: number;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  #paidAtMs = 0;

  constructor(bytesPerSecond: number, clock: Clock, signal?: AbortSignal) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** @throws the signal's reason */
  async take(bytes: number): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const fromMs = Math.max(nowMs, this.#paidAtMs);
    this.#paidAtMs = fromMs + (bytes * 1_000) / this.#bytesPerSecond;
    if (fromMs > nowMs) await sleep(this.#clock, fromMs - nowMs, this.#signal);
  }
}

let reading: Meter | null = null;
let writing: Meter | null = null;

/**
 * Bounds this whole process, which is a worker with one job: whatever part of it touches the repository shares
 * one rate. Returns what lifts the bounds again.
 */
export function limitBandwidth(
  { readBytesPerSecond, writeBytesPerSecond }: Bandwidth,
  clock: Clock,
  signal?: AbortSignal,
): () => void {
  const meter = (rate: number): Meter | null => (rate > 0 ? new Meter(rate, clock, signal) : null);
  reading = meter(readBytesPerSecond);
  writing = meter(writeBytesPerSecond);
  return () => {
    reading = null;
    writing = null;
  };
}

/** Waits until this many bytes of the repository may be read. @throws when the job was cancelled meanwhile */
export async function beforeRead(bytes: number): Promise<void> {
  if (reading !== null) await reading.take(bytes);
}

/** Waits until this many bytes may be written to the repository. @throws when the job was cancelled meanwhile */
export async function beforeWrite(bytes: number): Promise<void> {
  if (writing !== null) await writing.take(bytes);
}

/** Whether to write in small pieces, so that the disk is left alone between them. */
export const isWriteLimited = (): boolean => writing !== null;
