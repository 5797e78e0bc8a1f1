import { availableParallelism } from 'node:os';
import { OBJECT_BYTES_MAX } from '../format/bounds.ts';
import { ByteLane, copiedBytes, type QueuedTask } from './byte-lane.ts';
import { type ByteResult, type ByteTask, resultBytesMax, workBytes } from './byte-task.ts';
import { letGo } from './let-go.ts';
import { performTask } from './perform-task.ts';

/** Work done on the calling thread before others are started: a small job is over sooner than they are up. */
const ALONE_BYTES = 8 * 1024 * 1024;
const THREADS_MAX = 4;
/** Up to this, handing the work to a thread and taking its result back costs the caller as much as doing it. */
const AT_ONCE_BYTES_MAX = 4 * 1024;

/**
 * Hashes, compresses and decodes on a few threads, or where there are none, at once. Whoever calls bounds how
 * many tasks are under way; each is short, so that none needs to be cancelled.
 */
export class BytePool {
  readonly #entry: URL | null;
  readonly #queue: QueuedTask[] = [];
  #lanes: ByteLane[] | null = null;
  #aloneBytes = 0;

  /** `entry`: the program of a thread; null: everything is done on the calling thread. */
  constructor(entry: URL | null) {
    this.#entry = entry;
  }

  /** Threads that are running. */
  get threads(): number {
    return (this.#lanes ?? []).filter(({ isAlive }) => isAlive).length;
  }

  /** @throws what the codec throws */
  async run(task: ByteTask): Promise<ByteResult> {
    if (!this.#usesThreads(task)) return performTask(task);
    letGo(workBytes(task));
    return new Promise((resolve, reject) => {
      this.#queue.push({ task, resolve, reject });
      this.#dispatch();
    });
  }

  #usesThreads(task: ByteTask): boolean {
    if (this.#entry === null || isNothing(task)) return false;
    if (workBytes(task) <= AT_ONCE_BYTES_MAX) return false;
    if (this.#lanes !== null) return this.threads > 0 && fits(task);
    this.#aloneBytes += workBytes(task);
    if (this.#aloneBytes < ALONE_BYTES) return false;
    const count = Math.min(Math.max(availableParallelism(), 1), THREADS_MAX);
    const entry = this.#entry;
    const onRoom = (): void => this.#dispatch();
    const onEnd = (undone: readonly QueuedTask[]): void => {
      this.#queue.unshift(...undone);
      this.#dispatch();
    };
    this.#lanes = Array.from({ length: count }, () => new ByteLane(entry, onRoom, onEnd));
    return fits(task);
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const lanes = this.#lanes ?? [];
      const free = lanes.reduce((best, lane) => (lane.freeSlots > best.freeSlots ? lane : best));
      if (free.freeSlots > 0) free.send(this.#queue);
      else if (this.threads > 0) return;
      else this.#finishAlone();
    }
  }

  /** Every thread has failed, memory having run out perhaps: what they had not done is done here. */
  #finishAlone(): void {
    for (const { task, resolve, reject } of this.#queue.splice(0)) {
      try {
        resolve(performTask(task));
      } catch (error) {
        reject(error);
      }
    }
  }
}

const isNothing = (task: ByteTask): boolean =>
  task.kind === 'compress' && task.codec === 'none' && task.seal === undefined;

const fits = (task: ByteTask): boolean =>
  copiedBytes(task) <= OBJECT_BYTES_MAX && resultBytesMax(task) <= OBJECT_BYTES_MAX;

let pool = new BytePool(null);

/** Of this process. */
export function bytePool(): BytePool {
  return pool;
}

/** Called once where a process may have threads: in a worker. `entry` is the program of `byte-thread.ts`. */
export function allowByteThreads(entry: URL): void {
  pool = new BytePool(entry);
}
