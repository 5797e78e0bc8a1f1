import type { ScheduleDefinition } from '../config/settings.ts';
import { isoTime } from '../kernel/clock.ts';
import { keyOf, keyText } from './schedule-key.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** How much of the repository a scheduled check reads, another part each day. */
const CHECK_PERCENT = 10;

/** What one tick of a schedule asks for. */
export interface TickRequest {
  readonly kind: ScheduleDefinition['kind'];
  readonly sourceId: string | null;
  readonly params: Record<string, unknown>;
  readonly actor: 'schedule';
  readonly idempotencyKey: string | null;
  /** Ticks of one schedule meet in the job that still waits, and in no other. */
  readonly coalesceKey: string;
  readonly tick: {
    readonly scheduleId: string;
    readonly dueAtMs: number;
    readonly attempt: number;
  };
  /** Runs in the transaction that makes the job durable. */
  readonly alongside: (jobId: string) => void;
}

/** Gives the job, durable by then, with what was to be written alongside; fails with QUEUE_FULL and the like. */
export type SubmitTick = (request: TickRequest) => { readonly id: string };

export function tickRequest(
  schedule: ScheduleDefinition,
  dueAtMs: number,
  attempt: number,
  alongside: TickRequest['alongside'],
): TickRequest {
  return {
    ...workOf(schedule, dueAtMs),
    kind: schedule.kind,
    actor: 'schedule',
    coalesceKey: `schedule ${keyText(keyOf(schedule))} ${schedule.kind}`,
    tick: { scheduleId: schedule.id, dueAtMs, attempt },
    alongside,
  };
}

function workOf(
  { kind, id, sourceId }: ScheduleDefinition,
  dueAtMs: number,
): Pick<TickRequest, 'sourceId' | 'params' | 'idempotencyKey'> {
  const own = { sourceId, idempotencyKey: null };
  switch (kind) {
    case 'backup': {
      const reason = `schedule ${id}`;
      return { ...own, params: { sourceId, type: 'full', origin: 'schedule', reason } };
    }
    case 'verify':
      return { ...own, params: { snapshots: 'latest', sourceId, deep: true } };
    case 'drill':
    case 'publish':
      return { ...own, params: { sourceId } };
    case 'forget':
      return { ...own, params: sourceId === null ? {} : { sources: [sourceId] } };
    case 'prune':
      return { ...own, sourceId: null, params: {} };
    case 'check': {
      // There is one repository: checks that are due in the same minute are one.
      const minute = isoTime(Math.floor(dueAtMs / MINUTE_MS) * MINUTE_MS);
      const readData = { percent: CHECK_PERCENT, seed: Math.floor(dueAtMs / DAY_MS) };
      return { sourceId: null, params: { readData }, idempotencyKey: `schedule:check:${minute}` };
    }
  }
}
