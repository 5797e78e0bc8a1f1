import type { RecordCodec } from '../format/record.ts';
import type { BaseRecord, ByteTask, RecordRunTask } from './byte-task.ts';
import { performTask } from './perform-task.ts';

/** What the worker process and its threads say to each other. */

/** Where bytes of a task stand. */
export interface SharedBytes {
  /** Number of the memory in which they stand; null: in the slot's input. */
  readonly memory: number | null;
  readonly offset: number;
  readonly length: number;
}

export type SentBase = Omit<BaseRecord, 'bytes'> & { readonly at: SharedBytes };
type Sent<Task extends ByteTask> = Omit<Task, 'bytes' | 'into' | 'base'> & {
  readonly at: SharedBytes;
  /** Where the result goes, if not to the slot's output. */
  readonly to?: SharedBytes;
  readonly base?: SentBase;
};
/** Places of a run, three numbers each, which are quicker to hand over than objects: memory, or -1; offset; length. */
type Places = readonly number[];
interface SentRun extends Omit<RecordRunTask, 'records' | 'into'> {
  readonly at: Places;
  readonly to: Places | null;
}
type SingleTask = Exclude<ByteTask, RecordRunTask>;
type SentSingle = SingleTask extends infer Task
  ? Task extends SingleTask
    ? Sent<Task>
    : never
  : never;
export type SentTask = SentSingle | SentRun;

export interface Batch {
  readonly slot: number;
  /** Memory for the results, where it is not the slot's output. */
  readonly output: number | null;
  readonly tasks: readonly SentTask[];
  /** Of all tasks together, as of `workBytes`. */
  readonly workBytes: number;
  /** Memory that tasks from now on name by its number. */
  readonly introduced: readonly (readonly [number, SharedArrayBuffer])[];
  /** Numbers that no task names any more. */
  readonly forgotten: readonly number[];
}

export type SentResult =
  | {
      /** Length of the result in the output, results standing one after the other; null: none. */
      readonly length: number | null;
      readonly codec: RecordCodec;
      readonly id: string | null;
      readonly ids?: readonly (string | null)[];
    }
  | { readonly failure: string };

export interface BatchResult {
  readonly slot: number;
  readonly results: readonly SentResult[];
}

/** Memory for one batch at a time. */
export interface Slot {
  readonly input: SharedArrayBuffer;
  readonly output: SharedArrayBuffer;
}

/** Performs a batch; results go to its output. `memories`: what was introduced to this thread. */
export function performBatch(
  { slot, output: outputNumber, tasks, introduced, forgotten }: Batch,
  slots: readonly Slot[],
  memories: Map<number, SharedArrayBuffer>,
): BatchResult {
  for (const [number, memory] of introduced) memories.set(number, memory);
  const { input } = slots[slot]!;
  const output = outputNumber === null ? slots[slot]!.output : memories.get(outputNumber)!;
  const viewOf = ({ memory, offset, length }: SharedBytes): Buffer =>
    Buffer.from(memory === null ? input : memories.get(memory)!, offset, length);
  let used = 0;
  const results = tasks.map((sent): SentResult => {
    try {
      const room = Buffer.from(output, used);
      const { bytes, codec, id, ids } = performTask(taskOf(sent, viewOf), room);
      const many = ids === undefined ? {} : { ids };
      const isElsewhere = bytes === null || ('to' in sent && sent.to !== undefined);
      if (isElsewhere) return { length: null, codec, id, ...many };
      placeResult(bytes, room);
      used += bytes.length;
      return { length: bytes.length, codec, id, ...many };
    } catch (error) {
      return { failure: error instanceof Error ? error.message : String(error) };
    }
  });
  for (const number of forgotten) memories.delete(number);
  return { slot, results };
}

type ViewOf = (bytes: SharedBytes) => Buffer;

function taskOf(sent: SentTask, viewOf: ViewOf): ByteTask {
  if (sent.kind === 'records') {
    const { at, to, ...rest } = sent;
    return { ...rest, records: viewsOf(at, viewOf), into: to && viewsOf(to, viewOf) };
  }
  const { at, to, base, ...rest } = sent;
  const into = to === undefined ? {} : { into: viewOf(to) };
  const onBase = base === undefined ? {} : { base: { ...base, bytes: viewOf(base.at) } };
  return { ...rest, bytes: viewOf(at), ...into, ...onBase } as SingleTask;
}

function viewsOf(places: Places, viewOf: ViewOf): Buffer[] {
  return Array.from({ length: places.length / 3 }, (_, index) => {
    const [memory, offset, length] = places.slice(index * 3, index * 3 + 3);
    return viewOf({ memory: memory === -1 ? null : memory!, offset: offset!, length: length! });
  });
}

/** Unless it stands there already. */
function placeResult(bytes: Buffer, room: Buffer): void {
  const isThere = bytes.buffer === room.buffer && bytes.byteOffset === room.byteOffset;
  if (!isThere) bytes.copy(room);
}
