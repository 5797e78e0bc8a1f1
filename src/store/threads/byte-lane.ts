import { Worker } from 'node:worker_threads';
import { OBJECT_BYTES_MAX } from '../format/bounds.ts';
import type { Batch, BatchResult, SentResult, SentTask, SharedBytes, Slot } from './byte-batch.ts';
import { type ByteResult, type ByteTask, resultBytesMax, workBytes } from './byte-task.ts';
import { BLOCK_BYTES, LentBlock } from './lent-block.ts';

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
    const { copy, block } = copyOf(this.#slots[slot]!.output, outputBytes(results), taken);
    let used = 0;
    for (const [index, { task, resolve, reject }] of taken.entries()) {
      const result = results[index]!;
      if ('failure' in result) {
        reject(new Error(result.failure));
        continue;
      }
      const { length, codec, id } = result;
      if (task.kind === 'decode' && task.into !== undefined) {
        resolve({ bytes: task.into, codec, id });
        continue;
      }
      const bytes = length === null ? null : copy.subarray(used, used + length);
      used += length ?? 0;
      if (bytes === null || block === null) {
        resolve({ bytes, codec, id });
        continue;
      }
      block.hold();
      resolve({ bytes, codec, id, block });
    }
    block?.release();
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
    sent.push(sentTask(task, share(task.bytes, input, inputUsed)));
    inputUsed = inputEnd;
    outputUsed = outputEnd;
    work += workBytes(task);
  }
  return { taken, sent };
}

function sentTask(task: ByteTask, at: SharedBytes): SentTask {
  if (task.kind !== 'decode' || task.into === undefined) {
    const { bytes: _, ...rest } = task;
    return { ...rest, at };
  }
  const { bytes: _, into, ...rest } = task;
  return { ...rest, at, to: sharedBytes(into) };
}

/** @throws RangeError for memory that only this thread sees */
function sharedBytes({ buffer, byteOffset, length }: Buffer): SharedBytes {
  if (!((buffer as ArrayBufferLike) instanceof SharedArrayBuffer)) {
    throw new RangeError('A result goes to memory that threads share');
  }
  return { shared: buffer as unknown as SharedArrayBuffer, offset: byteOffset, length };
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

/** Copied, since the slot is used again at once; in one piece, since many small ones keep the collector busy. */
function copyOf(
  output: SharedArrayBuffer,
  length: number,
  taken: readonly QueuedTask[],
): { readonly copy: Buffer; readonly block: LentBlock | null } {
  const isLent = length <= BLOCK_BYTES && taken.every(({ task }) => isReleased(task));
  const block = isLent ? new LentBlock() : null;
  const copy = block?.bytes ?? Buffer.allocUnsafeSlow(length);
  Buffer.from(output, 0, length).copy(copy);
  return { copy, block };
}

/** Whoever asks for these appends what comes to a pack, and has done with it. */
const isReleased = ({ kind }: ByteTask): boolean => kind === 'compress' || kind === 'seal';
