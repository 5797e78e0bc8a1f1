/**
 * Runs work a bounded number at a time, for one caller that hands it over piece by piece. After a failure no
 * further work begins; whoever cleans up behind it waits for `idle` first.
 */
export class ParallelWork {
  readonly #atOnceMax: number;
  #running = 0;
  #wake: (() => void) | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(atOnceMax: number) {
    this.#atOnceMax = atOnceMax;
  }

  /** Begins `work` when there is room, and does not wait for its end. @throws the failure of earlier work */
  async add(work: () => Promise<void>): Promise<void> {
    while (this.#running >= this.#atOnceMax) await this.#oneEnds();
    this.#throwFailure();
    this.#running += 1;
    work()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#running -= 1;
        this.#wake?.();
      });
  }

  /** Resolves when nothing runs any more, whether it failed or not. */
  async idle(): Promise<void> {
    while (this.#running > 0) await this.#oneEnds();
  }

  /** Resolves when everything handed over is done. @throws the first failure */
  async settle(): Promise<void> {
    await this.idle();
    this.#throwFailure();
  }

  #oneEnds(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}
