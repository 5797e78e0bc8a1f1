import { sourceFingerprint } from '../capture/source-fingerprint.ts';
import type { Settings } from '../config/settings.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { ownPaths } from '../operations/operation.ts';
import { BaselineRecords } from '../state/baseline-records.ts';
import { ScheduleRecords } from '../state/schedule-records.ts';
import type { StateDatabase } from '../state/state-database.ts';
import type { TriggerRequest } from '../triggers/trigger-request.ts';
import { Triggers } from '../triggers/triggers.ts';
import type { SourceStates } from './source-states.ts';
import { steppedBackText } from './status-warnings.ts';

const IS_MUTATING: Record<TriggerRequest['kind'], boolean> = {
  backup: true,
  check: false,
  verify: false,
  drill: false,
};

export interface TriggerServices {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly state: StateDatabase;
  readonly queue: JobQueue;
  readonly sources: SourceStates;
}

/** Triggers, wired to the queue and to what is remembered. */
export function createTriggers(services: TriggerServices): Triggers {
  const { settings, clock, logger, state, queue, sources } = services;
  return new Triggers({
    settings,
    clock,
    logger,
    baselines: new BaselineRecords(state),
    schedules: new ScheduleRecords(state),
    forbiddenPaths: ownPaths(settings),
    fingerprint: sourceFingerprint,
    enqueue: (request) => {
      if (request.kind === 'backup') refuseToForget(sources, request.sourceId!);
      return queue.submit({
        ...request,
        mutating: IS_MUTATING[request.kind],
        deadlineMs: settings.worker.jobDeadlineMs,
      });
    },
  });
}

/** @throws SOURCE_CORRUPT while a database looks like a step back in time */
function refuseToForget(sources: SourceStates, sourceId: string): void {
  const [database] = sources.steppedBack(sourceId);
  if (database === undefined) return;
  throw cannot('SOURCE_CORRUPT', 'back up by itself', sourceId, steppedBackText(database.path), {
    hint: `Restore it, or accept it as it is now: holdfast backup ${sourceId}.`,
    retryable: true,
  });
}
