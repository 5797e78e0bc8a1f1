import type { RecordCodec } from '../format/record.ts';
import { type ByteResult, type ByteTask, performTask } from './byte-task.ts';

/** What the worker process and its threads say to each other. */

/** Where bytes of a task stand: in the slot's input, or in memory of their own that is shared too. */
export interface SharedBytes {
  readonly shared: SharedArrayBuffer | null;
  readonly offset: number;
  readonly length: number;
}

type Sent<Task extends ByteTask> = Omit<Task, 'bytes' | 'into'> & {
  readonly at: SharedBytes;
  /** Where the result goes, if not to the slot's output. */
  readonly to?: SharedBytes;
};
export type SentTask = ByteTask extends infer Task
  ? Task extends ByteTask
    ? Sent<Task>
    : never
  : never;

export interface Batch {
  readonly slot: number;
  readonly tasks: readonly SentTask[];
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

/** Performs a batch; results go to the slot's output. */
export function performBatch({ slot, tasks }: Batch, slots: readonly Slot[]): BatchResult {
  const { input, output } = slots[slot]!;
  let used = 0;
  const results = tasks.map(({ at, to, ...rest }): SentResult => {
    try {
      const bytes = viewOf(at, input);
      const into = to === undefined ? undefined : viewOf(to, input);
      const result = performTask({ ...rest, bytes, into } as ByteTask);
      if (into !== undefined) return { length: null, codec: result.codec, id: result.id };
      used += placeResult(result, output, used);
      return { length: result.bytes?.length ?? null, codec: result.codec, id: result.id };
    } catch (error) {
      return { failure: error instanceof Error ? error.message : String(error) };
    }
  });
  return { slot, results };
}

function viewOf({ shared, offset, length }: SharedBytes, input: SharedArrayBuffer): Buffer {
  return Buffer.from(shared ?? input, offset, length);
}

function placeResult({ bytes }: ByteResult, output: SharedArrayBuffer, used: number): number {
  if (bytes === null) return 0;
  bytes.copy(Buffer.from(output, used, bytes.length));
  return bytes.length;
}
