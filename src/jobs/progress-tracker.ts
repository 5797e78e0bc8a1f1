import type { ProgressCounts } from '../kernel/activity.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { LOGICAL_PATH_BYTES_MAX } from '../kernel/limits.ts';
import type { JobProgress } from './job.ts';
import { Throughput } from './throughput.ts';

/** At most one event in this time, apart from the first and the last. */
export const PROGRESS_INTERVAL_MS = 1_000;
/** What is shown at most before the job has succeeded. */
const PERCENT_UNFINISHED_MAX = 0.999;

const START: JobProgress = {
  phase: 'starting',
  currentFile: null,
  filesDone: 0,
  totalFiles: null,
  bytesDone: 0,
  totalBytes: null,
  percentDone: null,
  throughputBps: null,
  etaSeconds: null,
};

/**
 * Turns a worker's counts into progress events: the first at once, then at most one a second, the last when the
 * job ends. The percentage never decreases, and is 1 only once the job has succeeded.
 */
export class ProgressTracker {
  readonly #clock: Clock;
  readonly #emit: (progress: JobProgress) => void;
  readonly #throughput = new Throughput();
  #current: JobProgress = START;
  #emittedAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;
  #finished = false;

  constructor(clock: Clock, emit: (progress: JobProgress) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  get current(): JobProgress {
    return this.#current;
  }

  report(counts: Partial<ProgressCounts>): void {
    if (this.#finished) return;
    const now = this.#clock.monotonicMs();
    const next = { ...this.#current, ...acceptable(counts) };
    this.#throughput.add(now, next.bytesDone);
    this.#current = { ...next, ...this.#figures(next, now) };
    const waitMs = this.#emittedAtMs + PROGRESS_INTERVAL_MS - now;
    if (waitMs <= 0) this.#send();
    else this.#timer ??= this.#clock.after(waitMs, () => this.#send(), { unref: true });
  }

  /** The last event: on success the counts equal the totals; otherwise they say how far it came. */
  finish(succeeded: boolean): JobProgress {
    if (this.#finished) return this.#current;
    this.#finished = true;
    if (succeeded) {
      const { filesDone, totalFiles, bytesDone, totalBytes } = this.#current;
      const files = Math.max(filesDone, totalFiles ?? 0);
      const bytes = Math.max(bytesDone, totalBytes ?? 0);
      this.#current = {
        ...this.#current,
        phase: 'done',
        currentFile: null,
        filesDone: files,
        totalFiles: files,
        bytesDone: bytes,
        totalBytes: bytes,
        percentDone: 1,
        etaSeconds: 0,
      };
    } else {
      this.#current = { ...this.#current, etaSeconds: null };
    }
    this.#send();
    return this.#current;
  }

  #send(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#emittedAtMs = this.#clock.monotonicMs();
    this.#emit(this.#current);
  }

  #figures(
    next: JobProgress,
    now: number,
  ): Pick<JobProgress, 'percentDone' | 'throughputBps' | 'etaSeconds'> {
    const share = shareDone(next);
    const percentDone =
      share === null
        ? this.#current.percentDone
        : Math.max(this.#current.percentDone ?? 0, Math.min(share, PERCENT_UNFINISHED_MAX));
    const throughputBps = this.#throughput.bytesPerSecond(now);
    const bytesLeft = next.totalBytes === null ? null : next.totalBytes - next.bytesDone;
    const etaSeconds =
      bytesLeft === null || throughputBps === null || throughputBps === 0
        ? null
        : Math.ceil(Math.max(bytesLeft, 0) / throughputBps);
    return { percentDone, throughputBps, etaSeconds };
  }
}

/** Bytes say more than files; null while neither total is known. */
function shareDone(counts: JobProgress): number | null {
  const { bytesDone, totalBytes, filesDone, totalFiles } = counts;
  if (totalBytes !== null && totalBytes > 0) return bytesDone / totalBytes;
  if (totalFiles !== null && totalFiles > 0) return filesDone / totalFiles;
  return null;
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0;

/** The fields that make sense: they come from another process, which may be broken. */
function acceptable(counts: Partial<ProgressCounts>): Partial<JobProgress> {
  const { phase, currentFile, filesDone, totalFiles, bytesDone, totalBytes } = counts;
  const text = (value: unknown): value is string => typeof value === 'string';
  return {
    ...(text(phase) ? { phase: phase.slice(0, 100) } : {}),
    ...(text(currentFile) ? { currentFile: currentFile.slice(0, LOGICAL_PATH_BYTES_MAX) } : {}),
    ...(isCount(filesDone) ? { filesDone } : {}),
    ...(isCount(bytesDone) ? { bytesDone } : {}),
    ...(isCount(totalFiles) || totalFiles === null ? { totalFiles } : {}),
    ...(isCount(totalBytes) || totalBytes === null ? { totalBytes } : {}),
  };
}
