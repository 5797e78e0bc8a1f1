import { sourceFingerprint } from '../capture/source-fingerprint.ts';
import type { LiveSettings } from '../config/live-settings.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { ownPaths } from '../operations/operation.ts';
import { BaselineRecords } from '../state/baseline-records.ts';
import type { StateDatabase } from '../state/state-database.ts';
import { Triggers } from '../triggers/triggers.ts';
import type { SourceStates } from './source-states.ts';
import { steppedBackText } from './status-warnings.ts';

export interface TriggerServices {
  readonly live: LiveSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly state: StateDatabase;
  readonly queue: JobQueue;
  readonly sources: SourceStates;
}

/** Triggers of changes, wired to the queue and to what is remembered. */
export function createTriggers(services: TriggerServices): Triggers {
  const { live, clock, logger, state, queue, sources } = services;
  return new Triggers({
    settings: live.current,
    clock,
    logger,
    baselines: new BaselineRecords(state),
    forbiddenPaths: ownPaths(live.current),
    fingerprint: sourceFingerprint,
    enqueue: (request) => {
      refuseToForget(sources, request.sourceId);
      return queue.submit({
        ...request,
        mutating: true,
        deadlineMs: live.current.worker.jobDeadlineMs,
      });
    },
  });
}

/** @throws SOURCE_CORRUPT while a database looks like a step back in time */
export function refuseToForget(sources: SourceStates, sourceId: string): void {
  const [database] = sources.steppedBack(sourceId);
  if (database === undefined) return;
  throw cannot('SOURCE_CORRUPT', 'back up by itself', sourceId, steppedBackText(database.path), {
    hint: `Restore it, or accept it as it is now: holdfast backup ${sourceId}.`,
    retryable: true,
  });
}
