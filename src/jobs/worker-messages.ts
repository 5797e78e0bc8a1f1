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
}

export type ToWorker =
  | WorkerStart
  | { readonly type: 'cancel'; readonly reason: 'cancelled' | 'deadline' };

export type FromWorker =
  | { readonly type: 'progress'; readonly counts: Partial<ProgressCounts> }
  | { readonly type: 'log'; readonly stream: LogStream; readonly message: string }
  | { readonly type: 'warn'; readonly message: string }
  | { readonly type: 'result'; readonly result: Record<string, unknown> }
  | { readonly type: 'failed'; readonly error: ErrorDocument };
