import { Worker } from 'node:worker_threads';
import { OBJECT_BYTES_MAX } from '../format/bounds.ts';
import type { Batch, BatchResult, SentResult, SentTask, SharedBytes, Slot } from './byte-batch.ts';
import {
  type ByteResult,
  type ByteTask,
  inputsOf,
  resultBytesMax,
  workBytes,
} from './byte-task.ts';
import { type Introductions, KnownMemories } from './known-memories.ts';
import { BLOCK_BYTES, LentBlock } from './lent-block.ts';

export interface QueuedTask {
  readonly task: ByteTask;
  readonly resolve: (result: ByteResult) => void;
  readonly reject: (error: unknown) => void;
}

/** One batch is worked on while the next one waits and the results of the last one are taken. */
const SLOTS = 2;
/** Large enough to make the message cheap, small enough to keep all threads busy. */
const BATCH_BYTES = 1024 * 1024;
const HEAP_MEGABYTES_MAX = 64;
/** Small, so that buffers are let go soon: those of the codecs stand outside the heap and do not make it grow. */
const YOUNG_MEGABYTES_MAX = 1;

/** One thread and the memory that it shares. */
export class ByteLane {
  readonly #thread: Worker;
  readonly #slots: readonly Slot[];
  readonly #taken: (readonly QueuedTask[] | null)[];
  readonly #memories = new KnownMemories();
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
    const introductions: Introductions = { introduced: [], forgotten: [] };
    const { taken, sent } = takeBatch(queue, this.#slots[slot]!, (memory) =>
      this.#memories.numberOf(memory, introductions),
    );
    this.#memories.tidy(introductions);
    this.#taken[slot] = taken;
    // While something is under way the process must wait for it.
    this.#thread.ref();
    this.#thread.postMessage({ slot, tasks: sent, ...introductions } satisfies Batch);
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

/** How a thread calls memory that it shares. */
type NumberOf = (memory: SharedArrayBuffer) => number;

function takeBatch(
  queue: QueuedTask[],
  { input, output }: Slot,
  numberOf: NumberOf,
): { taken: QueuedTask[]; sent: SentTask[] } {
  const taken: QueuedTask[] = [];
  const sent: SentTask[] = [];
  let work = 0;
  let inputUsed = 0;
  let outputUsed = 0;
  const share = (bytes: Buffer): SharedBytes => {
    const { byteOffset: offset, length } = bytes;
    const memory = sharedMemoryOf(bytes);
    if (memory !== null) return { memory: numberOf(memory), offset, length };
    const at = { memory: null, offset: inputUsed, length };
    bytes.copy(Buffer.from(input, inputUsed, length));
    inputUsed += length;
    return at;
  };
  while (queue.length > 0 && work < BATCH_BYTES) {
    const { task } = queue[0]!;
    const inputEnd = inputUsed + copiedBytes(task);
    const outputEnd = outputUsed + resultBytesMax(task);
    if (taken.length > 0 && (inputEnd > input.byteLength || outputEnd > output.byteLength)) break;
    taken.push(queue.shift()!);
    sent.push(sentTask(task, share));
    outputUsed = outputEnd;
    work += workBytes(task);
  }
  return { taken, sent };
}

function sentTask(task: ByteTask, share: (bytes: Buffer) => SharedBytes): SentTask {
  if (task.kind !== 'decode') {
    const { bytes, ...rest } = task;
    return { ...rest, at: share(bytes) };
  }
  const { bytes, into, base, ...rest } = task;
  const to = into === undefined ? {} : { to: share(requireShared(into)) };
  if (base === undefined) return { ...rest, at: share(bytes), ...to };
  const { bytes: baseBytes, ...ofBase } = base;
  return { ...rest, at: share(bytes), ...to, base: { ...ofBase, at: share(baseBytes) } };
}

/** @throws RangeError for memory that only this thread sees */
function requireShared(bytes: Buffer): Buffer {
  if (sharedMemoryOf(bytes) !== null) return bytes;
  throw new RangeError('A result goes to memory that threads share');
}

/** What a task needs of the slot's input. */
export function copiedBytes(task: ByteTask): number {
  return inputsOf(task).reduce(
    (sum, bytes) => sum + (sharedMemoryOf(bytes) === null ? bytes.length : 0),
    0,
  );
}

/** Null for memory that only this thread sees. */
function sharedMemoryOf({ buffer }: Buffer): SharedArrayBuffer | null {
  const memory = buffer as unknown;
  return memory instanceof SharedArrayBuffer ? memory : null;
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
