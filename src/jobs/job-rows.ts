import { isoTime } from '../kernel/clock.ts';
import type { Job, JobKind, JobStatus } from './job.ts';

/** A row of `jobs` as SQLite returns it. */
export interface JobRow {
  sequence: number;
  id: string;
  kind: string;
  status: string;
  sourceId: string | null;
  params: string;
  actor: string;
  priority: number;
  mutating: number;
  coalesceKey: string | null;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  deadlineMs: number | null;
  progress: string | null;
  warnings: number;
  exitCode: number | null;
  result: string | null;
  error: string | null;
  workerPid: number | null;
  scheduleId: string | null;
  scheduledAt: number | null;
  attempt: number;
}

const parsed = <T>(text: string | null): T | null =>
  text === null ? null : (JSON.parse(text) as T);
const timeOrNull = (timeMs: number | null): string | null =>
  timeMs === null ? null : isoTime(timeMs);

export function jobOfRow(row: JobRow): Job {
  return {
    id: row.id,
    kind: row.kind as JobKind,
    status: row.status as JobStatus,
    sourceId: row.sourceId,
    params: JSON.parse(row.params) as Job['params'],
    actor: row.actor as Job['actor'],
    priority: row.priority,
    mutating: row.mutating === 1,
    createdAt: isoTime(row.createdAt),
    startedAt: timeOrNull(row.startedAt),
    finishedAt: timeOrNull(row.finishedAt),
    deadlineMs: row.deadlineMs,
    progress: parsed(row.progress),
    warnings: row.warnings,
    exitCode: row.exitCode,
    result: parsed(row.result),
    error: parsed(row.error),
    workerPid: row.workerPid,
    scheduleId: row.scheduleId,
    scheduledAt: timeOrNull(row.scheduledAt),
    attempt: row.attempt,
  };
}

export function isFinished(status: JobStatus): boolean {
  return status !== 'queued' && status !== 'running';
}
