import type { RecordCodec } from '../format/record.ts';
import { type BaseRecord, type ByteResult, type ByteTask, performTask } from './byte-task.ts';

/** What the worker process and its threads say to each other. */

/** Where bytes of a task stand. */
export interface SharedBytes {
  /** Number of the memory in which they stand; null: in the slot's input. */
  readonly memory: number | null;
  readonly offset: number;
  readonly length: number;
}

type SentBase = Omit<BaseRecord, 'bytes'> & { readonly at: SharedBytes };
type Sent<Task extends ByteTask> = Omit<Task, 'bytes' | 'into' | 'base'> & {
  readonly at: SharedBytes;
  /** Where the result goes, if not to the slot's output. */
  readonly to?: SharedBytes;
  readonly base?: SentBase;
};
export type SentTask = ByteTask extends infer Task
  ? Task extends ByteTask
    ? Sent<Task>
    : never
  : never;

export interface Batch {
  readonly slot: number;
  readonly tasks: readonly SentTask[];
  /** Memory that tasks from now on name by its number. */
  readonly introduced: readonly (readonly [number, SharedArrayBuffer])[];
  /** Numbers that no task names any more. */
  readonly forgotten: readonly number[];
}

export type SentResult =
  | {
      /** Length of the result in the slot's output, results standing one after the other; null: none. */
      readonly length: number | null;
      readonly codec: RecordCodec;
      readonly id: string | null;
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

/** Performs a batch; results go to the slot's output. `memories`: what was introduced to this thread. */
export function performBatch(
  { slot, tasks, introduced, forgotten }: Batch,
  slots: readonly Slot[],
  memories: Map<number, SharedArrayBuffer>,
): BatchResult {
  for (const [number, memory] of introduced) memories.set(number, memory);
  const { input, output } = slots[slot]!;
  const viewOf = ({ memory, offset, length }: SharedBytes): Buffer =>
    Buffer.from(memory === null ? input : memories.get(memory)!, offset, length);
  let used = 0;
  const results = tasks.map(({ at, to, base, ...rest }): SentResult => {
    try {
      const into = to === undefined ? {} : { into: viewOf(to) };
      const onBase = base === undefined ? {} : { base: { ...base, bytes: viewOf(base.at) } };
      const task = { ...rest, bytes: viewOf(at), ...into, ...onBase };
      const result = performTask(task as ByteTask);
      if (to !== undefined) return { length: null, codec: result.codec, id: result.id };
      used += placeResult(result, output, used);
      return { length: result.bytes?.length ?? null, codec: result.codec, id: result.id };
    } catch (error) {
      return { failure: error instanceof Error ? error.message : String(error) };
    }
  });
  for (const number of forgotten) memories.delete(number);
  return { slot, results };
}

function placeResult({ bytes }: ByteResult, output: SharedArrayBuffer, used: number): number {
  if (bytes === null) return 0;
  bytes.copy(Buffer.from(output, used, bytes.length));
  return bytes.length;
}
