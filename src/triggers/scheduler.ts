import type { ScheduleSettings, SourceSettings } from '../config/settings.ts';
import { type Clock, isoTime, type Timer } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { planSchedule, type SchedulePlan } from './schedule-plan.ts';
import { scheduleRequest } from './schedule-request.ts';
import type { Enqueue } from './trigger-request.ts';

/** What is remembered of one schedule of one source. Times: epoch ms. The shape of state/schedule-records.ts. */
export interface RememberedSchedule {
  readonly sourceId: string;
  readonly scheduleId: string;
  readonly version: string;
  readonly lastDueAt: number | null;
  readonly nextDueAt: number | null;
  readonly lastRunJobId: string | null;
}

export interface ScheduleStore {
  get(sourceId: string, scheduleId: string): RememberedSchedule | null;
  put(record: RememberedSchedule): void;
  retainOnly(keep: readonly Pick<RememberedSchedule, 'sourceId' | 'scheduleId'>[]): unknown;
}

export interface SchedulerOptions {
  readonly sources: readonly SourceSettings[];
  readonly store: ScheduleStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly enqueue: Enqueue;
}

export interface DueStatus {
  readonly scheduleId: string;
  readonly kind: ScheduleSettings['kind'];
  /** ISO 8601; null: never, or turned off. */
  readonly nextDueAt: string | null;
  readonly lastDueAt: string | null;
}

interface Entry {
  readonly sourceId: string;
  readonly schedule: ScheduleSettings;
  readonly plan: SchedulePlan;
  record: RememberedSchedule;
}

/** The wall clock is looked at this often at least: it may be set, and timers stand still while the host sleeps. */
const TICK_MS_MAX = 30_000;
/** A run this late was missed: made up for, or not, as the schedule says. */
const LATE_MS = 60_000;
/** A clock set back by less is being adjusted, not set. */
const STEP_BACK_MS = 60_000;

/**
 * Asks for jobs at their times. Due times are remembered, so a restart neither loses a run nor repeats one: any
 * number of runs missed, while the daemon was down or the host asleep, is made up for by one.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #entries: Entry[] = [];
  #lastTickMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;
  #ticking: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Resolves when missed runs were asked for. */
  async start(): Promise<void> {
    const { sources, store, clock } = this.#options;
    const nowMs = clock.nowMs();
    for (const { id: sourceId, schedules } of sources) {
      for (const schedule of schedules.filter(({ enabled }) => enabled)) {
        this.#entries.push(this.#open(sourceId, schedule, nowMs));
      }
    }
    store.retainOnly(this.#entries.map(({ record }) => record));
    this.#lastTickMs = nowMs;
    this.#ticking = this.#tick();
    await this.#ticking;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#ticking;
  }

  /** The schedules of a source, those that are turned off too. */
  due(source: SourceSettings): DueStatus[] {
    return source.schedules.map(({ id, kind }) => {
      const entry = this.#entries.find(
        ({ sourceId, schedule }) => sourceId === source.id && schedule.id === id,
      );
      return {
        scheduleId: id,
        kind,
        nextDueAt: isoOrNull(entry?.record.nextDueAt ?? null),
        lastDueAt: isoOrNull(entry?.record.lastDueAt ?? null),
      };
    });
  }

  #open(sourceId: string, schedule: ScheduleSettings, nowMs: number): Entry {
    const plan = planSchedule(schedule);
    const known = this.#options.store.get(sourceId, schedule.id);
    const isSame = known !== null && known.version === plan.version;
    const fresh: RememberedSchedule = {
      sourceId,
      scheduleId: schedule.id,
      version: plan.version,
      lastDueAt: known?.lastDueAt ?? null,
      nextDueAt: plan.nextAfter(nowMs),
      lastRunJobId: known?.lastRunJobId ?? null,
    };
    const entry = { sourceId, schedule, plan, record: isSame ? known : fresh };
    if (!isSame) this.#options.store.put(fresh);
    else this.#bringForward(entry, nowMs);
    return entry;
  }

  /** Where the clock was set back, due times computed before are too far away. */
  #bringForward(entry: Entry, nowMs: number): void {
    const nextDueAt = entry.plan.nextAfter(nowMs);
    const known = entry.record.nextDueAt;
    if (nextDueAt === null || (known !== null && known <= nextDueAt)) return;
    this.#remember(entry, { nextDueAt });
  }

  #remember(entry: Entry, change: Partial<RememberedSchedule>): void {
    entry.record = { ...entry.record, ...change };
    this.#options.store.put(entry.record);
  }

  async #tick(): Promise<void> {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    if (nowMs < this.#lastTickMs - STEP_BACK_MS) {
      for (const entry of this.#entries) this.#bringForward(entry, nowMs);
    }
    this.#lastTickMs = nowMs;
    for (const entry of this.#entries) {
      const { nextDueAt } = entry.record;
      if (nextDueAt !== null && nextDueAt <= nowMs && !this.#isStopped) {
        await this.#fire(entry, nextDueAt, nowMs);
      }
    }
    if (!this.#isStopped) this.#wait();
  }

  /** One run for however many are due. Only when the job is durable does the schedule move on. */
  async #fire(entry: Entry, dueAtMs: number, nowMs: number): Promise<void> {
    const { enqueue, logger } = this.#options;
    const { sourceId, schedule, plan } = entry;
    const next = { lastDueAt: dueAtMs, nextDueAt: plan.nextAfter(nowMs) };
    const isSkipped = schedule.catchUp === 'none' && nowMs - dueAtMs > LATE_MS;
    try {
      if (isSkipped) this.#remember(entry, next);
      else {
        const job = await enqueue(scheduleRequest(sourceId, schedule, dueAtMs));
        this.#remember(entry, { ...next, lastRunJobId: job.id });
      }
    } catch (error) {
      // It stays due: the next tick tries again.
      const fields = { sourceId, scheduleId: schedule.id, reason: messageOf(error) };
      logger.warn(fields, 'cannot ask for a scheduled job');
    }
  }

  #wait(): void {
    const { clock } = this.#options;
    const due = this.#entries.flatMap(({ record }) => record.nextDueAt ?? []);
    const untilDueMs = Math.min(...due) - clock.nowMs();
    // What is due already could not be asked for: not again at once.
    const delayMs = untilDueMs > 0 ? Math.min(untilDueMs, TICK_MS_MAX) : TICK_MS_MAX;
    this.#timer = clock.after(
      delayMs,
      () => {
        this.#ticking = this.#tick();
      },
      { unref: true },
    );
  }
}

function isoOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : isoTime(timeMs);
}
