import { isoTime } from '../kernel/clock.ts';
import type { StateDatabase } from '../state/state-database.ts';
import type { JobKind } from './job.ts';

/** Of the finished jobs of one kind that are remembered. */
export interface JobStatistics {
  readonly kind: JobKind;
  readonly count: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Succeeded, with warnings. */
  readonly warned: number;
  readonly lastFinishedAt: string;
  readonly lastStatus: 'succeeded' | 'failed' | 'cancelled';
  /** Of those that ran; null where none did. */
  readonly lastDurationMs: number | null;
  readonly medianDurationMs: number | null;
  readonly longestDurationMs: number | null;
  /** Read or written by all of them together, as their progress counted. */
  readonly bytes: number;
}

interface Row {
  readonly kind: JobKind;
  readonly status: JobStatistics['lastStatus'];
  readonly finishedAt: number;
  readonly durationMs: number | null;
  readonly warnings: number;
  readonly bytes: number | null;
}

/** By kind, in the order of their names; kinds of which no job has finished are not there. */
export function jobStatistics(state: StateDatabase, sourceId: string | null): JobStatistics[] {
  const rows = state.connection
    .prepare(
      `SELECT kind, status, finishedAt, max(finishedAt - startedAt, 0) AS durationMs, warnings,
         json_extract(progress, '$.bytesDone') AS bytes
       FROM jobs WHERE finishOrder IS NOT NULL AND (@sourceId IS NULL OR sourceId = @sourceId)
       ORDER BY kind, finishOrder`,
    )
    .all({ sourceId }) as Row[];
  const kinds = [...new Set(rows.map(({ kind }) => kind))];
  return kinds.map((kind) =>
    statisticsOf(
      kind,
      rows.filter((row) => row.kind === kind),
    ),
  );
}

function statisticsOf(kind: JobKind, rows: readonly Row[]): JobStatistics {
  const withStatus = (status: Row['status']): Row[] => rows.filter((row) => row.status === status);
  const ran = rows.flatMap(({ durationMs }) => (durationMs === null ? [] : [durationMs]));
  const sorted = [...ran].sort((left, right) => left - right);
  const last = rows.at(-1)!;
  return {
    kind,
    count: rows.length,
    succeeded: withStatus('succeeded').length,
    failed: withStatus('failed').length,
    cancelled: withStatus('cancelled').length,
    warned: withStatus('succeeded').filter(({ warnings }) => warnings > 0).length,
    lastFinishedAt: isoTime(last.finishedAt),
    lastStatus: last.status,
    lastDurationMs: ran.at(-1) ?? null,
    medianDurationMs: median(sorted),
    longestDurationMs: sorted.at(-1) ?? null,
    bytes: rows.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
  };
}

function median(sorted: readonly number[]): number | null {
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return Math.round((sorted[middle - 1]! + sorted[middle]!) / 2);
}
