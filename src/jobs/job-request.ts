import type { Job, JobKind } from './job.ts';

/** What a trigger or the api hands to the queue; `params` were validated by whoever knows the kind. */
export interface JobRequest {
  readonly kind: JobKind;
  readonly sourceId?: string | null;
  readonly params: Record<string, unknown>;
  readonly actor: Job['actor'];
  /** @default defaultPriority(kind, actor) */
  readonly priority?: number;
  /** Changes the repository or protected data: one of these runs at a time. */
  readonly mutating: boolean;
  /**
   * A request that meets a queued job with its key becomes that job; null: never.
   * @default kind, source and params, so that equal requests meet
   */
  readonly coalesceKey?: string | null;
  /** A request with the key of any remembered job, finished ones too, becomes that job. */
  readonly idempotencyKey?: string | null;
  /** From the start of the job; null: as long as it takes. */
  readonly deadlineMs?: number | null;
  /** Set by schedules: `dueAtMs` is the tick, epoch ms; `attempt` counts the runs of that tick from 1. */
  readonly tick?: {
    readonly scheduleId: string;
    readonly dueAtMs: number;
    readonly attempt: number;
  };
  /** Called in the transaction that makes the job durable: what it writes to state.db stands or falls with the job. */
  readonly alongside?: (jobId: string) => void;
}

/** `coalesced`: the request became a job that was there before. */
export type SubmittedJob = Job & { readonly coalesced: boolean };

export function coalesceKeyOf(request: JobRequest): string | null {
  if (request.coalesceKey !== undefined) return request.coalesceKey;
  const { kind, sourceId = null, params, mutating } = request;
  return JSON.stringify(sorted({ kind, sourceId, params, mutating }));
}

/** The same value with the keys of every object in order, so that equal values have equal texts. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
