import { Worker } from 'node:worker_threads';
import { OBJECT_BYTES_MAX } from '../format/bounds.ts';
import type { Batch, BatchResult, SentResult, SentTask, SharedBytes, Slot } from './byte-batch.ts';
import { type ByteResult, type ByteTask, resultBytesMax, workBytes } from './byte-task.ts';

export interface QueuedTask {
  readonly task: ByteTask;
  readonly resolve: (result: ByteResult) => void;
  readonly reject: (error: unknown) => void;
}

/** One batch is worked on while the next one waits and the results of the last one are taken. */
const SLOTS = 2;
/** Large enough to make the message cheap, small enough to keep all threads busy. */
const BATCH_BYTES = 512 * 1024;
const HEAP_MEGABYTES_MAX = 64;
/** Small, so that buffers are let go soon: those of the codecs stand outside the heap and do not make it grow. */
const YOUNG_MEGABYTES_MAX = 1;

/** One thread and the memory that it shares. */
export class ByteLane {
  readonly #thread: Worker;
  readonly #slots: readonly Slot[];
  readonly #taken: (readonly QueuedTask[] | null)[];
  readonly #onRoom: () => void;
  readonly #onEnd: (undone: readonly QueuedTask[]) => void;
  #isAlive = true;

  /** `onEnd` hears of what the thread had not done when it failed. */
  constructor(entry: URL, onRoom: () => void, onEnd: (undone: readonly QueuedTask[]) => void) {
    this.#onRoom = onRoom;
    this.#onEnd = onEnd;
    this.#slots = Array.from({ length: SLOTS }, () => ({
      input: new SharedArrayBuffer(OBJECT_BYTES_MAX),
      output: new SharedArrayBuffer(OBJECT_BYTES_MAX),
    }));
    this.#taken = this.#slots.map(() => null);
    this.#thread = new Worker(entry, {
      workerData: this.#slots,
      resourceLimits: {
        maxOldGenerationSizeMb: HEAP_MEGABYTES_MAX,
        maxYoungGenerationSizeMb: YOUNG_MEGABYTES_MAX,
      },
    });
    this.#thread.unref();
    this.#thread.on('message', (result: BatchResult) => this.#take(result));
    this.#thread.on('error', () => this.#end());
    this.#thread.on('exit', () => this.#end());
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get freeSlots(): number {
    return this.isAlive ? this.#taken.filter((taken) => taken === null).length : 0;
  }

  /** Takes as many of the queue's first tasks as make a batch. A slot must be free. */
  send(queue: QueuedTask[]): void {
    const slot = this.#taken.indexOf(null);
    const batch = takeBatch(queue, this.#slots[slot]!);
    this.#taken[slot] = batch.taken;
    // While something is under way the process must wait for it.
    this.#thread.ref();
    this.#thread.postMessage({ slot, tasks: batch.sent } satisfies Batch);
  }

  #take({ slot, results }: BatchResult): void {
    const taken = this.#taken[slot] ?? [];
    // Copied, since the slot is used again at once; in one piece, since many small ones keep the collector busy.
    const copy = copyOf(this.#slots[slot]!.output, outputBytes(results));
    let used = 0;
    for (const [index, { resolve, reject }] of taken.entries()) {
      const result = results[index]!;
      if ('failure' in result) {
        reject(new Error(result.failure));
        continue;
      }
      const { length, codec, id } = result;
      const bytes = length === null ? null : copy.subarray(used, used + length);
      used += length ?? 0;
      resolve({ bytes, codec, id });
    }
    this.#taken[slot] = null;
    if (this.#taken.every((each) => each === null)) this.#thread.unref();
    this.#onRoom();
  }

  #end(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#onEnd(this.#taken.flatMap((taken) => taken ?? []));
  }
}

function takeBatch(
  queue: QueuedTask[],
  { input, output }: Slot,
): { taken: QueuedTask[]; sent: SentTask[] } {
  const taken: QueuedTask[] = [];
  const sent: SentTask[] = [];
  let work = 0;
  let inputUsed = 0;
  let outputUsed = 0;
  while (queue.length > 0 && work < BATCH_BYTES) {
    const { task } = queue[0]!;
    const isShared = task.bytes.buffer instanceof SharedArrayBuffer;
    const inputEnd = inputUsed + (isShared ? 0 : task.bytes.length);
    const outputEnd = outputUsed + resultBytesMax(task);
    if (taken.length > 0 && (inputEnd > input.byteLength || outputEnd > output.byteLength)) break;
    taken.push(queue.shift()!);
    const { bytes, ...rest } = task;
    sent.push({ ...rest, at: share(bytes, input, inputUsed) } as SentTask);
    inputUsed = inputEnd;
    outputUsed = outputEnd;
    work += workBytes(task);
  }
  return { taken, sent };
}

function share(bytes: Buffer, input: SharedArrayBuffer, offset: number): SharedBytes {
  const { buffer, byteOffset, length } = bytes;
  if (buffer instanceof SharedArrayBuffer) return { shared: buffer, offset: byteOffset, length };
  bytes.copy(Buffer.from(input, offset, length));
  return { shared: null, offset, length };
}

function outputBytes(results: readonly SentResult[]): number {
  return results.reduce((sum, result) => sum + ('length' in result ? (result.length ?? 0) : 0), 0);
}

function copyOf(output: SharedArrayBuffer, length: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(length);
  Buffer.from(output, 0, length).copy(copy);
  return copy;
}
