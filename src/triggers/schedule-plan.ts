import { createHash } from 'node:crypto';
import type { ScheduleDefinition } from '../config/settings.ts';
import { type CronPlan, nextCronTime, planCron } from './cron-times.ts';
import { keyOf, keyText } from './schedule-key.ts';

/** When one schedule is due, worked out of its definition alone. Times: epoch ms. */
export interface SchedulePlan {
  /** Changes with the definition: due times computed under another version are void. */
  readonly version: string;
  /**
   * The first tick after `afterMs`; null if there is none. Those of an interval are counted from `anchorMs`, an
   * earlier tick, or, where that is null or still to come, from `afterMs`.
   */
  nextAfter(afterMs: number, anchorMs: number | null): number | null;
  /** When the run of this tick begins: the same for the same tick, always. */
  startOf(tickMs: number): number;
}

export function planSchedule(schedule: ScheduleDefinition): SchedulePlan {
  const { kind, trigger, jitterMs } = schedule;
  const key = keyText(keyOf(schedule));
  const startOf = (tickMs: number): number => tickMs + jitterOf(key, tickMs, jitterMs);
  if (trigger.type === 'interval') {
    const { intervalMs } = trigger;
    return {
      version: JSON.stringify([kind, 'interval', intervalMs, jitterMs]),
      nextAfter: (afterMs, anchorMs) =>
        anchorMs === null || anchorMs > afterMs
          ? afterMs + intervalMs
          : anchorMs + (Math.floor((afterMs - anchorMs) / intervalMs) + 1) * intervalMs,
      startOf,
    };
  }
  const cron: CronPlan = planCron(trigger.expression);
  return {
    version: JSON.stringify([kind, 'cron', trigger.expression, trigger.timeZone, jitterMs]),
    nextAfter: (afterMs) => nextCronTime(cron, trigger.timeZone, afterMs),
    startOf,
  };
}

/** 0 to `jitterMs`, from a hash of the tick. */
function jitterOf(key: string, tickMs: number, jitterMs: number): number {
  if (jitterMs === 0) return 0;
  const hash = createHash('sha256').update(`${key}@${tickMs}`).digest();
  return hash.readUInt32BE(0) % (jitterMs + 1);
}
