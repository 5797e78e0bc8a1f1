import type { ScheduleSettings } from '../config/settings.ts';
import { isoTime } from '../kernel/clock.ts';
import type { TriggerRequest } from './trigger-request.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** How much of the repository a scheduled check reads, another part each day. */
const CHECK_PERCENT = 10;

/** The request for one tick of a schedule: the same tick gives the same key, whatever happened in between. */
export function scheduleRequest(
  sourceId: string,
  schedule: ScheduleSettings,
  dueAtMs: number,
): TriggerRequest {
  const tick = isoTime(dueAtMs);
  const own = {
    kind: schedule.kind,
    sourceId,
    actor: 'schedule',
    idempotencyKey: `schedule:${sourceId}:${schedule.id}:${schedule.kind}:${tick}`,
  } as const;
  switch (schedule.kind) {
    case 'backup': {
      const reason = `schedule ${schedule.id}`;
      return { ...own, params: { sourceId, type: 'full', origin: 'schedule', reason } };
    }
    case 'verify':
      return { ...own, params: { snapshots: 'latest', sourceId, deep: true } };
    case 'drill':
      return { ...own, params: { sourceId } };
    case 'check': {
      // There is one repository: sources whose checks are due in the same minute share one.
      const minute = isoTime(Math.floor(dueAtMs / MINUTE_MS) * MINUTE_MS);
      const readData = { percent: CHECK_PERCENT, seed: Math.floor(dueAtMs / DAY_MS) };
      return {
        ...own,
        sourceId: null,
        params: { readData },
        idempotencyKey: `schedule:check:${minute}`,
      };
    }
  }
}
