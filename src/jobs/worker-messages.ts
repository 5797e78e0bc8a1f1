import type { LogStream, ProgressCounts } from '../kernel/activity.ts';
import type { ErrorDocument } from '../kernel/errors.ts';
import type { JobKind } from './job.ts';

/** What the supervisor and a worker say to each other over the fork's IPC channel. */

export interface WorkerStart {
  readonly type: 'start';
  readonly jobId: string;
  readonly kind: JobKind;
  readonly params: Record<string, unknown>;
  /** `config/settings.ts` as plain data: frozen for this job whatever changes meanwhile. */
  readonly settings: unknown;
  /** Set by a client that found no daemon: the worker then holds the instance lock itself and reconciles first. */
  readonly offline?: boolean;
  /** Of an encrypted repository that the supervisor has opened: in memory alone, never in params, logs or state. */
  readonly masterKey?: { readonly repositoryId: string; readonly hex: string };
}

export type ToWorker =
  | WorkerStart
  | { readonly type: 'cancel'; readonly reason: 'cancelled' | 'deadline' };

export type FromWorker =
  | { readonly type: 'progress'; readonly counts: Partial<ProgressCounts> }
  | { readonly type: 'log'; readonly stream: LogStream; readonly message: string }
  | { readonly type: 'warn'; readonly message: string }
  /** Not cancellable: inside a section that must be left by itself, such as the swap of a restore. */
  | { readonly type: 'section'; readonly cancellable: boolean }
  | { readonly type: 'result'; readonly result: Record<string, unknown> }
  | { readonly type: 'failed'; readonly error: ErrorDocument };

const isText = (value: unknown): value is string => typeof value === 'string';
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What came over the channel, or null where it is no message of ours: the sender may be out of its mind. */
export function parseFromWorker(value: unknown): FromWorker | null {
  if (!isRecord(value)) return null;
  const valid = {
    progress: () => isRecord(value['counts']),
    log: () =>
      isText(value['message']) && ['stdout', 'stderr', 'event'].includes(String(value['stream'])),
    warn: () => isText(value['message']),
    section: () => typeof value['cancellable'] === 'boolean',
    result: () => isRecord(value['result']),
    failed: () => {
      const error = value['error'];
      return isRecord(error) && isText(error['code']) && isText(error['message']);
    },
  }[String(value['type']) as FromWorker['type']];
  return valid?.() === true ? (value as unknown as FromWorker) : null;
}

/** Environment of a worker: its job, by which a later daemon recognises a leftover. */
export const JOB_ID_VARIABLE = 'HOLDFAST_JOB_ID';
/** Environment of a worker: the process it must not outlive. */
export const SUPERVISOR_PID_VARIABLE = 'HOLDFAST_SUPERVISOR_PID';
