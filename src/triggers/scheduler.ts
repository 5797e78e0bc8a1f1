import type { ScheduleDefinition } from '../config/settings.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { keyOf, keyText, type ScheduleKey } from './schedule-key.ts';
import { planSchedule, type SchedulePlan } from './schedule-plan.ts';
import { type SubmitTick, tickRequest } from './schedule-request.ts';

/** What is remembered of one schedule. Times: epoch ms. The shape of state/schedule-records.ts. */
export interface RememberedSchedule extends ScheduleKey {
  readonly version: string;
  /** The newest tick that became a job. */
  readonly lastDueAt: number | null;
  readonly nextDueAt: number | null;
  readonly lastRunJobId: string | null;
}

export interface ScheduleStore {
  get(sourceId: string, scheduleId: string): RememberedSchedule | null;
  put(record: RememberedSchedule): void;
  retainOnly(keep: readonly ScheduleKey[]): unknown;
}

/** Ticks that became jobs. The shape of state/schedule-fires.ts. */
export interface FireStore {
  has(sourceId: string, scheduleId: string, dueAt: number): boolean;
  insert(fire: ScheduleKey & { dueAt: number; firedAt: number; jobId: string }): void;
  forgetAfter(afterMs: number): void;
  retainOnly(keep: readonly ScheduleKey[]): void;
}

export interface SchedulerOptions {
  readonly store: ScheduleStore;
  readonly fires: FireStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly submit: SubmitTick;
  /** Whether this job still waits or runs. */
  readonly isUnderWay: (jobId: string) => boolean;
}

interface Entry {
  readonly key: ScheduleKey;
  readonly schedule: ScheduleDefinition;
  readonly plan: SchedulePlan;
  record: RememberedSchedule;
  /** Why the last tick could not be asked for, so that it is said once. */
  refusal: string | null;
}

/** The wall clock is looked at this often at least: it may be set, and timers stand still while the host sleeps. */
const LOOK_MS_MAX = 30_000;
/** A run this late was missed: made up for, or not, as the schedule says. */
const LATE_MS = 60_000;
/** A clock set back by less is being adjusted, not set. */
const STEP_BACK_MS = 60_000;
/** Ticks further ahead than this were fired by a clock that was wrong: they may come again when it is their time. */
const FUTURE_MS_MAX = 2 * 86_400_000;

/**
 * Asks for jobs at their times. Due times are remembered, so a restart neither loses a run nor repeats one: any
 * number of runs missed, while the daemon was down or the host asleep, is made up for by one. A tick and its job
 * become durable together, so that no tick is a job twice, wherever the clock is set and whenever the daemon ends.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  #entries: readonly Entry[] = [];
  #lastLookMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;
  #isStopped = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /**
   * From now on exactly `active` are due, of all there are; jobs under way go on. Missed runs are asked for
   * before this returns.
   * @param known every schedule that is not forgotten, whether it is active or not
   */
  apply(active: readonly ScheduleDefinition[], known: readonly ScheduleKey[]): void {
    const { store, fires, clock } = this.#options;
    const nowMs = clock.nowMs();
    fires.forgetAfter(nowMs + FUTURE_MS_MAX);
    store.retainOnly(known);
    fires.retainOnly(known);
    const keys = new Set(active.map((schedule) => keyText(keyOf(schedule))));
    for (const { sourceId, scheduleId } of known) {
      if (!keys.has(keyText({ sourceId, scheduleId }))) this.#suspend(sourceId, scheduleId);
    }
    this.#entries = active.map((schedule) => this.#open(schedule, nowMs));
    this.#lastLookMs = nowMs;
    this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#entries = [];
  }

  /** What is off or paused has no due time: when it goes on, it goes on from then. */
  #suspend(sourceId: string, scheduleId: string): void {
    const known = this.#options.store.get(sourceId, scheduleId);
    if (known !== null && known.nextDueAt !== null) {
      this.#options.store.put({ ...known, nextDueAt: null });
    }
  }

  #open(schedule: ScheduleDefinition, nowMs: number): Entry {
    const key = keyOf(schedule);
    const plan = planSchedule(schedule);
    const known = this.#options.store.get(key.sourceId, key.scheduleId);
    const isSame = known !== null && known.version === plan.version && known.nextDueAt !== null;
    const fresh: RememberedSchedule = {
      ...key,
      version: plan.version,
      lastDueAt: known?.lastDueAt ?? null,
      nextDueAt: plan.nextAfter(nowMs, null),
      lastRunJobId: known?.lastRunJobId ?? null,
    };
    const entry: Entry = { key, schedule, plan, record: isSame ? known : fresh, refusal: null };
    if (isSame) this.#bringForward(entry, nowMs);
    else this.#options.store.put(fresh);
    return entry;
  }

  /** Where the clock was set back, due times computed before are too far away. */
  #bringForward(entry: Entry, nowMs: number): void {
    const nextDueAt = this.#nextDue(entry, null, nowMs);
    const known = entry.record.nextDueAt;
    if (nextDueAt === null || (known !== null && known <= nextDueAt)) return;
    this.#remember(entry, { nextDueAt });
  }

  /** The first tick whose run is still to begin, and that was no job yet; `justFired` is one that is about to be. */
  #nextDue({ key, plan, schedule }: Entry, justFired: number | null, nowMs: number): number | null {
    // A tick of the time just past may begin only now; those of an interval follow the one before.
    const isCron = schedule.trigger.type === 'cron';
    let next = plan.nextAfter(isCron ? nowMs - schedule.jitterMs : nowMs, justFired);
    while (
      next !== null &&
      (next === justFired ||
        plan.startOf(next) <= nowMs ||
        this.#options.fires.has(key.sourceId, key.scheduleId, next))
    ) {
      next = plan.nextAfter(next, next);
    }
    return next;
  }

  #remember(entry: Entry, change: Partial<RememberedSchedule>): void {
    const record = { ...entry.record, ...change };
    this.#options.store.put(record);
    entry.record = record;
  }

  #look(): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    const nowMs = clock.nowMs();
    if (nowMs >= this.#lastLookMs - STEP_BACK_MS || this.#stepBack(nowMs)) this.#lastLookMs = nowMs;
    for (const entry of this.#entries) {
      const { nextDueAt } = entry.record;
      if (nextDueAt === null || entry.plan.startOf(nextDueAt) > nowMs) continue;
      this.#tryTick(entry, nextDueAt, nowMs);
    }
    if (!this.#isStopped) this.#wait();
  }

  /** The clock was set back. False where that cannot be noted now: the next look tries again. */
  #stepBack(nowMs: number): boolean {
    const { fires, logger } = this.#options;
    try {
      fires.forgetAfter(nowMs + FUTURE_MS_MAX);
      for (const entry of this.#entries) this.#bringForward(entry, nowMs);
      return true;
    } catch (error) {
      logger.warn({ reason: messageOf(error) }, 'cannot bring schedules forward');
      return false;
    }
  }

  #tryTick(entry: Entry, dueAtMs: number, nowMs: number): void {
    const { key, plan, schedule, record } = entry;
    const { fires, isUnderWay, logger } = this.#options;
    try {
      const nextDueAt = this.#nextDue(entry, dueAtMs, nowMs);
      const isLate = nowMs - plan.startOf(dueAtMs) > LATE_MS;
      const isMissed = isLate && schedule.catchUp === 'none';
      const isOverlapping =
        schedule.overlap === 'skip' &&
        record.lastRunJobId !== null &&
        isUnderWay(record.lastRunJobId);
      const isKnown = fires.has(key.sourceId, key.scheduleId, dueAtMs);
      if (isMissed || isOverlapping || isKnown) {
        this.#remember(entry, { nextDueAt });
        if (isOverlapping) logger.info({ ...key }, 'left out: the run before is still under way');
      } else this.#fire(entry, dueAtMs, nextDueAt, nowMs);
      entry.refusal = null;
    } catch (error) {
      // It stays due: the next look tries again.
      const reason = messageOf(error);
      if (reason !== entry.refusal)
        logger.warn({ ...key, reason }, 'cannot ask for a scheduled job');
      entry.refusal = reason;
    }
  }

  /** One run for however many are due: the job, its tick and the next due time, durable at once or not at all. */
  #fire(entry: Entry, dueAtMs: number, nextDueAt: number | null, nowMs: number): void {
    const { fires, store, submit } = this.#options;
    let record = entry.record;
    submit(
      tickRequest(entry.schedule, dueAtMs, 1, (jobId) => {
        record = { ...record, lastDueAt: dueAtMs, nextDueAt, lastRunJobId: jobId };
        fires.insert({ ...entry.key, dueAt: dueAtMs, firedAt: Math.round(nowMs), jobId });
        store.put(record);
      }),
    );
    entry.record = record;
  }

  #wait(): void {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    const starts = this.#entries.flatMap(({ record: { nextDueAt }, plan, refusal }) => {
      const start = nextDueAt === null ? null : plan.startOf(nextDueAt);
      // What is due and was refused is not asked for again at once; anything else became due during this look.
      return start === null || (refusal !== null && start <= nowMs) ? [] : start;
    });
    const untilDueMs = starts.reduce((left, right) => Math.min(left, right), Infinity) - nowMs;
    const delayMs = Math.max(0, Math.min(untilDueMs, LOOK_MS_MAX));
    this.#timer = clock.after(delayMs, () => this.#look(), { unref: true });
  }
}
