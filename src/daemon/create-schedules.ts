import type { DaemonEvent } from '../api/event-hub.ts';
import type { LiveSettings } from '../config/live-settings.ts';
import type { JobEvent } from '../jobs/job-events.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { ScheduleState } from '../protocol/method-map.ts';
import { RetryRecords } from '../state/retry-records.ts';
import { ScheduleFires } from '../state/schedule-fires.ts';
import { ScheduleRecords } from '../state/schedule-records.ts';
import { ScheduleSetRecords } from '../state/schedule-set-records.ts';
import type { StateDatabase } from '../state/state-database.ts';
import { RetryKeeper } from '../triggers/retry-keeper.ts';
import type { SubmitTick, TickRequest } from '../triggers/schedule-request.ts';
import { ScheduleSet } from '../triggers/schedule-set.ts';
import { Scheduler } from '../triggers/scheduler.ts';
import { refuseToForget } from './create-triggers.ts';
import { jobIfKept, scheduleStates } from './schedule-states.ts';
import type { SourceStates } from './source-states.ts';

const IS_MUTATING: Record<TickRequest['kind'], boolean> = {
  backup: true,
  forget: true,
  prune: true,
  check: false,
  verify: false,
  drill: false,
  publish: true,
};

export interface ScheduleOptions {
  readonly live: LiveSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly state: StateDatabase;
  readonly queue: JobQueue;
  readonly sources: SourceStates;
  publish(event: DaemonEvent): void;
}

/** The set answers from the moment it is made; jobs are asked for from `start()` on. */
export interface ScheduleServices {
  readonly set: ScheduleSet;
  readonly retries: RetryKeeper;
  states(): ScheduleState[];
  /** For `JobQueue.onEvent`. */
  receive(event: JobEvent): void;
}

/** Schedules and retries, wired to the queue and to what is remembered. */
export function createSchedules(options: ScheduleOptions): ScheduleServices {
  const { live, clock, logger, state, queue, publish } = options;
  const records = new ScheduleRecords(state);
  const submit = submitTo(options);
  const scheduler = new Scheduler({
    store: records,
    fires: new ScheduleFires(state),
    clock,
    logger,
    submit,
    isUnderWay: (jobId) => {
      const status = jobIfKept(queue, jobId)?.status;
      return status === 'queued' || status === 'running';
    },
  });
  const set = new ScheduleSet({
    records: new ScheduleSetRecords(state),
    scheduler,
    live,
    clock,
    onApplied: (acknowledgement) => publish({ type: 'schedule.applied', set: acknowledgement }),
  });
  const retries = new RetryKeeper({
    records: new RetryRecords(state),
    scheduleSet: set,
    live,
    clock,
    logger,
    submit,
    onAbandoned: (pending) => publish({ type: 'pending.abandoned', pending }),
  });
  return {
    set,
    retries,
    states: () => scheduleStates(set, live.current.sources, records, queue),
    receive: (event) => {
      if (event.type === 'job.changed') retries.noteEnd(event.job);
    },
  };
}

function submitTo({ live, queue, sources }: ScheduleOptions): SubmitTick {
  return (request) => {
    if (request.kind === 'backup') refuseToForget(sources, request.sourceId!);
    return queue.submit({
      ...request,
      mutating: IS_MUTATING[request.kind],
      deadlineMs: live.current.worker.jobDeadlineMs,
    });
  };
}
