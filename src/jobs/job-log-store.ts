import type { LogStream } from '../kernel/activity.ts';
import { isoTime } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import { LOG_LINES_PER_JOB_MAX } from '../kernel/limits.ts';
import type { StateDatabase } from '../state/state-database.ts';
import type { JobLogLine } from './job.ts';

/** Text of one job's log; a log that reaches this or LOG_LINES_PER_JOB_MAX ends with a line that says so. */
export const LOG_BYTES_PER_JOB_MAX = 8 * 1024 * 1024;
export const LOG_READ_LIMIT_MAX = 1_000;
export const TRUNCATION_MARK = 'The log is full: what follows is not kept.';

/** A line that has no number yet. At most LOG_LINE_BYTES_MAX. */
export interface NewLogLine {
  readonly at: number;
  readonly stream: LogStream;
  readonly message: string;
}

export interface LogPage {
  readonly items: JobLogLine[];
  /** Pass as `afterSeq` for what follows. */
  readonly lastSeq: number;
  /** False when this page is the end of what is there now. */
  readonly more: boolean;
}

interface LogState {
  sequence: number;
  logLines: number;
  logBytes: number;
}

/** The logs of jobs: `seq` from 1, without gaps, given within the transaction that makes the line durable. */
export class JobLogStore {
  readonly #state: StateDatabase;

  constructor(state: StateDatabase) {
    this.#state = state;
  }

  /** Returns what was kept, numbered; nothing for a job that is gone or whose log is full. */
  append(jobId: string, lines: readonly NewLogLine[]): JobLogLine[] {
    return this.#state.transaction(() => {
      const connection = this.#state.connection;
      const log = connection
        .prepare('SELECT sequence, logLines, logBytes FROM jobs WHERE id = ?')
        .get(jobId) as LogState | undefined;
      if (log === undefined) return [];
      const { kept, logBytes } = withinBounds(log, lines);
      const insert = connection.prepare('INSERT INTO jobLogs VALUES (?, ?, ?, ?, ?)');
      const numbered = kept.map((line, index) => ({ ...line, seq: log.logLines + 1 + index }));
      for (const { seq, at, stream, message } of numbered) {
        insert.run(log.sequence, seq, Math.round(at), stream, message);
      }
      connection
        .prepare('UPDATE jobs SET logLines = ?, logBytes = ? WHERE sequence = ?')
        .run(log.logLines + kept.length, logBytes, log.sequence);
      return numbered.map((line) => ({ ...line, at: isoTime(line.at) }));
    });
  }

  /** Lines after `afterSeq` in order. @throws NOT_FOUND */
  read(jobId: string, options: { afterSeq?: number; limit?: number } = {}): LogPage {
    const afterSeq = Math.max(options.afterSeq ?? 0, 0);
    const limit = Math.min(Math.max(options.limit ?? 200, 1), LOG_READ_LIMIT_MAX);
    const sequence = this.#state.connection
      .prepare('SELECT sequence FROM jobs WHERE id = ?')
      .pluck()
      .get(jobId) as number | undefined;
    if (sequence === undefined) throw cannot('NOT_FOUND', 'read log of job', jobId, 'no such job');
    const rows = this.#state.connection
      .prepare(
        'SELECT seq, at, stream, message FROM jobLogs WHERE jobSequence = ? AND seq > ? ORDER BY seq LIMIT ?',
      )
      .all(sequence, afterSeq, limit + 1) as (JobLogLine & { at: unknown })[];
    const items = rows.slice(0, limit).map((row) => ({ ...row, at: isoTime(Number(row.at)) }));
    return { items, lastSeq: items.at(-1)?.seq ?? afterSeq, more: rows.length > limit };
  }
}

/** As many lines as the bounds leave room for; the last one that fits becomes the mark of truncation. */
function withinBounds(
  log: LogState,
  lines: readonly NewLogLine[],
): { kept: NewLogLine[]; logBytes: number } {
  const kept: NewLogLine[] = [];
  let logBytes = log.logBytes;
  for (const line of lines) {
    const count = log.logLines + kept.length;
    if (count >= LOG_LINES_PER_JOB_MAX || logBytes >= LOG_BYTES_PER_JOB_MAX) break;
    // Counted before it is replaced: a log that is full by bytes must stay full.
    logBytes += Buffer.byteLength(line.message);
    const last = count === LOG_LINES_PER_JOB_MAX - 1 || logBytes >= LOG_BYTES_PER_JOB_MAX;
    kept.push(last ? { at: line.at, stream: 'event', message: TRUNCATION_MARK } : line);
  }
  return { kept, logBytes };
}
