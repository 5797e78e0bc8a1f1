import type { ScheduleSettings } from '../config/settings.ts';
import { type CronPlan, nextCronTime, planCron } from './cron-times.ts';

/** When one schedule is due, worked out of its definition alone. Times: epoch ms. */
export interface SchedulePlan {
  /** Changes with the definition: due times computed under another version are void. */
  readonly version: string;
  /** The next due time after `afterMs`; null if there is none. For an interval, one interval later. */
  nextAfter(afterMs: number): number | null;
}

export function planSchedule(schedule: ScheduleSettings): SchedulePlan {
  const { kind, trigger } = schedule;
  if (trigger.type === 'interval') {
    return {
      version: JSON.stringify([kind, 'interval', trigger.intervalMs]),
      nextAfter: (afterMs) => afterMs + trigger.intervalMs,
    };
  }
  const cron: CronPlan = planCron(trigger.expression);
  return {
    version: JSON.stringify([kind, 'cron', trigger.expression, trigger.timeZone]),
    nextAfter: (afterMs) => nextCronTime(cron, trigger.timeZone, afterMs),
  };
}
