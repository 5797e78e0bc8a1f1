import type { ErrorDocument } from '../kernel/errors.ts';

/** One unit of asynchronous work. Terminal states never change. */

export type JobKind =
  | 'backup'
  | 'restore'
  | 'stage'
  | 'apply'
  | 'recover'
  | 'verify'
  | 'drill'
  | 'check'
  | 'forget'
  | 'prune'
  | 'delete'
  | 'coverage'
  | 'discover'
  | 'annotate'
  | 'init'
  | 'maintain'
  | 'hook'
  | 'plugin'
  | 'diff'
  | 'artifact'
  | 'publish'
  | 'bootstrap'
  | 'export'
  | 'import'
  | 'migrate'
  | 'reseal'
  | 'rebuild'
  | 'key'
  | 'copy'
  | 'accept'
  | 'convert'
  | 'reconcile';

export type JobStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface JobProgress {
  readonly phase: string;
  readonly currentFile: string | null;
  readonly filesDone: number;
  readonly totalFiles: number | null;
  readonly bytesDone: number;
  readonly totalBytes: number | null;
  /** 0..1, never decreasing, 1 only on success; null while a total is unknown. */
  readonly percentDone: number | null;
  readonly throughputBps: number | null;
  readonly etaSeconds: number | null;
}

export interface Job {
  readonly id: string;
  readonly kind: JobKind;
  readonly status: JobStatus;
  readonly sourceId: string | null;
  readonly params: Record<string, unknown>;
  /** Who asked: a person over the socket, a schedule, a change, or the daemon at boot. */
  readonly actor: 'user' | 'schedule' | 'change' | 'boot';
  readonly priority: number;
  readonly mutating: boolean;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly deadlineMs: number | null;
  readonly progress: JobProgress | null;
  readonly warnings: number;
  /** 0 ok, 1 failed, 3 done with warnings, 130 cancelled; null until finished. */
  readonly exitCode: number | null;
  readonly result: Record<string, unknown> | null;
  readonly error: ErrorDocument | null;
  readonly workerPid: number | null;
  /** The schedule that asked for it, and its tick; null for anybody else. */
  readonly scheduleId: string | null;
  readonly scheduledAt: string | null;
  /** 1, or which run it is of a tick whose runs before failed. */
  readonly attempt: number;
}

export interface JobLogLine {
  readonly seq: number;
  readonly at: string;
  readonly stream: 'stdout' | 'stderr' | 'event';
  readonly message: string;
}
