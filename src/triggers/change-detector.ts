import type { Clock, Timer } from '../kernel/clock.ts';

/**
 * Reads the fingerprint of a source, one reading at a time. What is handed out was read from the start to the end
 * after the call; callers that come while one is being read share the next.
 */
export class FingerprintReader {
  readonly #read: () => Promise<string>;
  #current: Promise<unknown> | null = null;
  #next: Promise<string> | null = null;

  constructor(read: () => Promise<string>) {
    this.#read = read;
  }

  read(): Promise<string> {
    if (this.#current === null) return this.#begin();
    this.#next ??= this.#current.then(() => {
      this.#next = null;
      return this.#begin();
    });
    return this.#next;
  }

  /** Resolves when nothing is being read. */
  async idle(): Promise<void> {
    while (this.#current !== null) await this.#current;
  }

  #begin(): Promise<string> {
    const reading = this.#read();
    const settled = reading.then(
      () => {},
      () => {},
    );
    const current = settled.then(() => {
      if (this.#current === current) this.#current = null;
    });
    this.#current = current;
    return reading;
  }
}

/** The poll rests at least this many times as long as a look at the source takes. */
const REST_FACTOR = 10;

/** Looks at a source at intervals, the first time at once; rests longer where a look takes long. */
export class SlowPoll {
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #look: () => Promise<void>;
  #timer: Timer | null = null;
  #looking: Promise<void> = Promise.resolve();
  #isStopped = false;

  /** @param look must not fail */
  constructor(clock: Clock, pollMs: number, look: () => Promise<void>) {
    this.#clock = clock;
    this.#pollMs = pollMs;
    this.#look = look;
  }

  start(): void {
    this.#looking = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  async #run(): Promise<void> {
    const startedMs = this.#clock.monotonicMs();
    await this.#look();
    if (this.#isStopped) return;
    const tookMs = this.#clock.monotonicMs() - startedMs;
    this.#timer = this.#clock.after(
      Math.max(this.#pollMs, tookMs * REST_FACTOR),
      () => this.start(),
      { unref: true },
    );
  }
}
