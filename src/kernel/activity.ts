/** How an engine, deep inside a job, reports and is stopped, without knowing that jobs exist. */

/** Counters of work done; a total is null until it is known. */
export interface ProgressCounts {
  phase: string;
  currentFile?: string;
  filesDone: number;
  totalFiles: number | null;
  bytesDone: number;
  totalBytes: number | null;
}

export type LogStream = 'stdout' | 'stderr' | 'event';

export interface Activity {
  /** Aborted when the job is cancelled or past its deadline. Checked between units of work. */
  readonly signal: AbortSignal;
  /** Cheap: callers report freely, the receiver throttles. Absent fields keep their value. */
  progress(counts: Partial<ProgressCounts>): void;
  /** One line of the job's log, for people. */
  log(message: string): void;
  /**
   * `false` before a section that must not be cut short (throws if the job is already cancelled), `true` after it.
   * Meanwhile the job cannot be cancelled, and its deadline does not kill it.
   */
  setCancellable(cancellable: boolean): void;
  /** Something that did not stop the work but that the operator must see; the job ends with warnings. */
  warn(message: string): void;
}

/** An Activity that reports to nobody: for tests and for work nobody follows. */
export function quietActivity(signal: AbortSignal = new AbortController().signal): Activity {
  return { signal, progress: () => {}, log: () => {}, setCancellable: () => {}, warn: () => {} };
}
