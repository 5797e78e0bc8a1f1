import type { LiveSettings } from '../config/live-settings.ts';
import type { ScheduleDefinition } from '../config/settings.ts';
import type { Job } from '../jobs/job.ts';
import { type Clock, isoTime, type Timer } from '../kernel/clock.ts';
import { cannot, messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { RETRIED_KINDS, type RetriedKind, type RetryRecord } from '../state/retry-records.ts';
import type { ScheduleSetRecord } from '../state/schedule-set-records.ts';
import { isRetryable, retryDelayMs } from './retry-policy.ts';
import { idlenessOf } from './schedule-choice.ts';
import { keyOf, type ScheduleKey } from './schedule-key.ts';
import { type SubmitTick, tickRequest } from './schedule-request.ts';

export interface RetryKeeperOptions {
  /** As state/retry-records.ts has it. */
  readonly records: {
    list(): RetryRecord[];
    put(record: RetryRecord): void;
    remove(sourceId: string, scheduleId: string): boolean;
  };
  readonly scheduleSet: { readonly record: ScheduleSetRecord };
  readonly live: LiveSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly submit: SubmitTick;
  /** A tick will not be tried again: the next one is its successor. */
  readonly onAbandoned: (abandoned: AbandonedRetry) => void;
}

/** Times: ISO 8601. */
export interface PendingRetry {
  readonly scheduleId: string;
  readonly sourceId: string;
  readonly kind: RetriedKind;
  readonly scheduledAt: string;
  readonly attempt: number;
  readonly nextAttemptAt: string;
  readonly lastJobId: string;
  readonly lastError: RetryRecord['lastError'];
}

export type AbandonedRetry = Omit<PendingRetry, 'nextAttemptAt'> & { readonly reason: string };

/** Timers stand still while the host sleeps: the wall clock is looked at this often at least. */
const LOOK_MS_MAX = 30_000;
/** A clock set back by less is being adjusted, not set. */
const STEP_BACK_MS = 60_000;

/**
 * Scheduled runs that failed of something that may pass are tried again, a bounded number of times. What waits is
 * remembered; an attempt is a job of its own, which replaces its row in the same transaction. Snapshots because of
 * changes are not here: their trigger asks again by itself for as long as the change is in no snapshot.
 */
export class RetryKeeper implements Service {
  readonly name = 'retries';
  readonly #options: RetryKeeperOptions;
  #timer: Timer | null = null;
  #isArmed = false;

  constructor(options: RetryKeeperOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#isArmed = true;
    this.#drain();
  }

  async stop(): Promise<void> {
    this.#isArmed = false;
    this.#timer?.cancel();
  }

  /** The next attempt first. */
  list(): PendingRetry[] {
    return this.#options.records.list().map((record) => ({
      ...facts(record),
      nextAttemptAt: isoTime(record.nextAttemptAt),
    }));
  }

  /** @throws NOT_FOUND */
  drop({ sourceId, scheduleId }: ScheduleKey): void {
    if (this.#options.records.remove(sourceId, scheduleId)) return;
    throw cannot('NOT_FOUND', 'drop retry', scheduleId, 'nothing of this schedule is pending', {
      hint: 'holdfast schedule pending shows what is.',
    });
  }

  /** For every job that has ended, also one that an earlier daemon left behind. */
  noteEnd(job: Job): void {
    if (job.status === 'succeeded') this.#noteSuccess(job);
    else if (job.status === 'failed') this.#noteFailure(job);
  }

  /** Whoever asked for it: what is newer needs no second try of what is older. */
  #noteSuccess({ kind, sourceId }: Job): void {
    for (const record of this.#options.records.list()) {
      if (record.sourceId !== sourceId || record.kind !== kind) continue;
      this.#options.records.remove(record.sourceId, record.scheduleId);
    }
  }

  #noteFailure(job: Job): void {
    const { records, live, clock } = this.#options;
    const { scheduleId, sourceId, scheduledAt, error, attempt } = job;
    const kind = RETRIED_KINDS.find((each) => each === job.kind);
    if (job.actor !== 'schedule' || scheduleId === null || scheduledAt === null) return;
    if (sourceId === null || error === null || kind === undefined) return;
    const policy = live.current.sources.find(({ id }) => id === sourceId)?.retry;
    const nowMs = clock.nowMs();
    const delayMs = policy === undefined ? 0 : retryDelayMs(policy, attempt, error.code, job.id);
    const record: RetryRecord = {
      sourceId,
      scheduleId,
      kind,
      dueAt: Date.parse(scheduledAt),
      attempt,
      nextAttemptAt: Math.round(nowMs + delayMs),
      lastJobId: job.id,
      lastError: { code: error.code, message: error.message.slice(0, 1_000) },
      failedAt: Math.round(nowMs),
    };
    const refusal = !isRetryable(error)
      ? `${error.code} does not pass by itself`
      : policy !== undefined && attempt >= policy.maxAttempts
        ? `${attempt} of ${policy.maxAttempts} runs failed`
        : this.#whyNot(record);
    if (refusal !== null) this.#abandon(record, refusal);
    else records.put(record);
    this.#wait();
  }

  /** From a timer, where nobody hears a failure: while state.db cannot be used, what waits waits on. */
  #drain(): void {
    const { clock, logger } = this.#options;
    try {
      this.#attemptDue(clock.nowMs());
      this.#wait();
    } catch (error) {
      logger.warn({ reason: messageOf(error) }, 'cannot look what is to be retried');
      this.#waitFor(LOOK_MS_MAX);
    }
  }

  #attemptDue(nowMs: number): void {
    for (const record of this.#options.records.list()) {
      // What failed in the future was planned by a clock that has been set back since.
      const isDue = record.nextAttemptAt <= nowMs || nowMs < record.failedAt - STEP_BACK_MS;
      if (isDue) this.#attempt(record);
    }
  }

  #attempt(record: RetryRecord): void {
    const { records, submit, logger } = this.#options;
    const { sourceId, scheduleId, attempt, dueAt } = record;
    const reason = this.#whyNot(record);
    const schedule = this.#scheduleOf(record);
    if (reason !== null || schedule === undefined) {
      this.#abandon(record, reason ?? 'its schedule is no longer there');
      return;
    }
    try {
      submit(
        tickRequest(schedule, dueAt, attempt + 1, () => void records.remove(sourceId, scheduleId)),
      );
    } catch (error) {
      logger.warn({ sourceId, scheduleId, reason: messageOf(error) }, 'cannot retry just now');
    }
  }

  /** Looked up before each attempt: what somebody turned off is not tried again. */
  #whyNot(record: RetryRecord): string | null {
    const schedule = this.#scheduleOf(record);
    if (schedule === undefined) return 'its schedule is no longer there';
    if (schedule.kind !== record.kind) return 'its schedule is of another kind now';
    const { scheduleSet, live } = this.#options;
    const idleness = idlenessOf(schedule, scheduleSet.record, live.current.sources);
    if (idleness === null) return null;
    return idleness === 'gone' ? 'its source is no longer there' : `its schedule is ${idleness}`;
  }

  #scheduleOf({ sourceId, scheduleId }: ScheduleKey): ScheduleDefinition | undefined {
    return this.#options.scheduleSet.record.schedules.find((schedule) => {
      const key = keyOf(schedule);
      return key.sourceId === sourceId && key.scheduleId === scheduleId;
    });
  }

  #abandon(record: RetryRecord, reason: string): void {
    const { records, logger, onAbandoned } = this.#options;
    records.remove(record.sourceId, record.scheduleId);
    const abandoned = { ...facts(record), reason };
    logger.warn({ ...abandoned }, 'a scheduled run is not tried again');
    onAbandoned(abandoned);
  }

  #wait(): void {
    const { records, clock } = this.#options;
    this.#timer?.cancel();
    const [first] = records.list();
    if (first === undefined) return;
    const untilMs = first.nextAttemptAt - clock.nowMs();
    this.#waitFor(untilMs > 0 ? Math.min(untilMs, LOOK_MS_MAX) : LOOK_MS_MAX);
  }

  #waitFor(delayMs: number): void {
    this.#timer?.cancel();
    if (!this.#isArmed) return;
    this.#timer = this.#options.clock.after(delayMs, () => this.#drain(), { unref: true });
  }
}

function facts(record: RetryRecord): Omit<PendingRetry, 'nextAttemptAt'> {
  const { scheduleId, sourceId, kind, dueAt, attempt, lastJobId, lastError } = record;
  return { scheduleId, sourceId, kind, scheduledAt: isoTime(dueAt), attempt, lastJobId, lastError };
}
