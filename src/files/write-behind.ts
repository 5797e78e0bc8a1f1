import type { FileHandle } from 'node:fs/promises';

/** Small files are over before it would begin. */
const BYTES_BETWEEN = 64 * 1024 * 1024;

/**
 * Sends a large new file on its way to the medium while more of it is made, so that the sync in the end, which it does
 * not replace, has little left to do.
 */
export class WriteBehind {
  readonly #handle: FileHandle;
  #bytesSince = 0;
  #running: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Called after so many more bytes were written. */
  wrote(bytes: number): void {
    this.#bytesSince += bytes;
    if (this.#bytesSince < BYTES_BETWEEN || this.#running !== null) return;
    this.#bytesSince = 0;
    this.#running = this.#handle
      .datasync()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#running = null;
      });
  }

  /** To be awaited before the file is synced: a failure that was told once is not told again. @throws it */
  async settle(): Promise<void> {
    await this.#running;
    if (this.#failure !== null) throw this.#failure.error;
  }
}
