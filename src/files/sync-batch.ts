import { closeSync } from 'node:fs';
import { syncDescriptor } from './durable.ts';
import { ParallelWork } from './parallel-work.ts';

/** Two batches are open at most: one is being filled while the other one is synced. */
const BATCH_FILES = 256;
/** Syncs that wait for the medium together are written by it together. */
const SYNCS_AT_ONCE = 32;

interface WrittenFile {
  readonly descriptor: number;
  readonly path: string;
}

/**
 * Syncs many new files in batches: a file that is made while the file system's journal is being written waits for
 * it, so that one sync after each file makes every file wait. Closes what it was given, whatever happens.
 */
export class SyncBatch {
  #filling: WrittenFile[] = [];
  #syncing: Promise<void> = Promise.resolve();

  /** Takes a descriptor that nothing more is written to. @throws the failure of an earlier batch */
  async add(descriptor: number, path: string): Promise<void> {
    this.#filling.push({ descriptor, path });
    if (this.#filling.length >= BATCH_FILES) await this.#next();
  }

  /** Resolves when all files are synced. @throws the first failure */
  async settle(): Promise<void> {
    await this.#next();
    await this.#syncing;
  }

  /** Gives up what is not being synced yet; resolves when nothing goes on any more, whether it failed or not. */
  async idle(): Promise<void> {
    for (const { descriptor } of this.#filling.splice(0)) closeSync(descriptor);
    await this.#syncing.catch(() => {});
  }

  async #next(): Promise<void> {
    const batch = this.#filling;
    this.#filling = [];
    const before = this.#syncing;
    this.#syncing = before.catch(() => {}).then(() => syncAll(batch));
    // Whoever comes next hears of it.
    this.#syncing.catch(() => {});
    await before;
  }
}

async function syncAll(files: readonly WrittenFile[]): Promise<void> {
  const syncs = new ParallelWork(SYNCS_AT_ONCE);
  let begun = 0;
  try {
    for (const { descriptor, path } of files) {
      await syncs.add(() => syncDescriptor(descriptor, path).finally(() => closeSync(descriptor)));
      begun += 1;
    }
    await syncs.settle();
  } finally {
    await syncs.idle();
    for (const { descriptor } of files.slice(begun)) closeSync(descriptor);
  }
}
