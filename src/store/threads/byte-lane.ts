import { Worker } from 'node:worker_threads';
import { OBJECT_BYTES_MAX } from '../format/bounds.ts';
import type {
  Batch,
  BatchResult,
  SentBase,
  SentResult,
  SentTask,
  SharedBytes,
  Slot,
} from './byte-batch.ts';
import {
  type BaseRecord,
  type ByteResult,
  type ByteTask,
  type DecodeTask,
  inputsOf,
  resultBytesMax,
  workBytes,
} from './byte-task.ts';
import { type Introductions, KnownMemories } from './known-memories.ts';
import { LentBlock } from './lent-block.ts';

export interface QueuedTask {
  readonly task: ByteTask;
  readonly resolve: (result: ByteResult) => void;
  readonly reject: (error: unknown) => void;
}

/** What a thread has in a slot. */
interface Taken {
  readonly tasks: readonly QueuedTask[];
  /** What lends memory for the results; null where they come to the slot's output. */
  readonly output: LentBlock | null;
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
  readonly #taken: (Taken | null)[];
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
    const numberOf: NumberOf = (memory) => this.#memories.numberOf(memory, introductions);
    const { tasks, sent, workBytes } = takeBatch(queue, this.#slots[slot]!, numberOf);
    const block = canLend(tasks) ? new LentBlock() : null;
    const output = block === null ? null : numberOf(block.memory);
    this.#memories.tidy(introductions);
    this.#taken[slot] = { tasks, output: block };
    // While something is under way the process must wait for it.
    this.#thread.ref();
    this.#thread.postMessage({
      slot,
      output,
      tasks: sent,
      workBytes,
      ...introductions,
    } satisfies Batch);
  }

  #take({ slot, results }: BatchResult): void {
    const { tasks, output } = this.#taken[slot]!;
    const lent = output?.bytes ?? copyOf(this.#slots[slot]!.output, outputBytes(results));
    let used = 0;
    for (const [index, { task, resolve, reject }] of tasks.entries()) {
      const result = results[index]!;
      if ('failure' in result) {
        reject(new Error(result.failure));
        continue;
      }
      const { length, ...rest } = result;
      if (task.kind === 'decode' && task.into !== undefined) {
        resolve({ bytes: task.into, ...rest });
        continue;
      }
      const bytes = length === null ? null : lent.subarray(used, used + length);
      used += length ?? 0;
      if (bytes === null || output === null) {
        resolve({ bytes, ...rest });
        continue;
      }
      output.hold();
      resolve({ bytes, ...rest, block: output });
    }
    output?.release();
    this.#taken[slot] = null;
    if (this.#taken.every((each) => each === null)) this.#thread.unref();
    this.#onRoom();
  }

  #end(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#onEnd(this.#taken.flatMap((taken) => taken?.tasks ?? []));
  }
}

/** How a thread calls memory that it shares. */
type NumberOf = (memory: SharedArrayBuffer) => number;

function takeBatch(
  queue: QueuedTask[],
  { input, output }: Slot,
  numberOf: NumberOf,
): { tasks: QueuedTask[]; sent: SentTask[]; workBytes: number } {
  const tasks: QueuedTask[] = [];
  const sent: SentTask[] = [];
  let work = 0;
  let inputUsed = 0;
  let outputUsed = 0;
  const share: Share = (bytes) => {
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
    if (tasks.length > 0 && (inputEnd > input.byteLength || outputEnd > output.byteLength)) break;
    tasks.push(queue.shift()!);
    sent.push(sentTask(task, share));
    outputUsed = outputEnd;
    work += workBytes(task);
  }
  return { tasks, sent, workBytes: work };
}

type Share = (bytes: Buffer) => SharedBytes;

function sentTask(task: ByteTask, share: Share): SentTask {
  if (task.kind === 'records') {
    const { records, into, ...rest } = task;
    const placeOf = (bytes: Buffer): number[] => {
      const { memory, offset, length } = share(bytes);
      return [memory ?? -1, offset, length];
    };
    const to = into?.flatMap((place) => placeOf(requireShared(place))) ?? null;
    return { ...rest, at: records.flatMap(placeOf), to };
  }
  // Other tasks have no place for their result, most no base.
  const { bytes, into, base, ...rest } = task as DecodeTask;
  return {
    ...rest,
    at: share(bytes),
    ...(into === undefined ? {} : { to: share(requireShared(into)) }),
    ...(base === undefined ? {} : { base: sentBase(base, share) }),
  } as SentTask;
}

function sentBase({ bytes, ...rest }: BaseRecord, share: Share): SentBase {
  return { ...rest, at: share(bytes) };
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
function copyOf(output: SharedArrayBuffer, length: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(length);
  Buffer.from(output, 0, length).copy(copy);
  return copy;
}

/** Whether results may come in memory that is lent: whoever asks for these appends them to a pack, and has done. */
function canLend(tasks: readonly QueuedTask[]): boolean {
  const withResult = tasks.filter(({ task }) => resultBytesMax(task) > 0);
  const isReleased = ({ task: { kind } }: QueuedTask): boolean =>
    kind === 'compress' || kind === 'seal' || kind === 'delta';
  return withResult.length > 0 && withResult.every(isReleased);
}
