import type { LiveSettings } from '../config/live-settings.ts';
import { listQuarantine } from '../files/quarantine/quarantine.ts';
import type { AlertBook } from '../health/alert-book.ts';
import {
  CONDITION_KINDS,
  databaseConditions,
  drillConditions,
  findingConditions,
  jobFailure,
  jobFailureKey,
  probeConditions,
  quarantineConditions,
  recoveries,
  staleSchedules,
  writtenAround,
} from '../health/alert-conditions.ts';
import type { JobEvent } from '../jobs/job-events.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import type { MethodResult, ScheduleState, SourceFacts } from '../protocol/method-map.ts';
import type { AlertSighting } from '../state/alert-records.ts';

export const LOOK_MS = 60_000;
/** After a job that failed of its disk: longer than the results of probes are kept. */
const SOON_MS = 2_500;
const DISK_CODES: ReadonlySet<string> = new Set(['IO_ERROR', 'NO_SPACE']);

export interface AlertKeeperOptions {
  readonly book: AlertBook;
  readonly live: LiveSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** When the daemon started. */
  readonly startedAtMs: number;
  report(): Promise<MethodResult<'health.report'>>;
  sourceFacts(sourceId: string): SourceFacts;
  schedules(): readonly ScheduleState[];
}

/** Raises alerts from how jobs end, and, once the daemon is ready, from what it finds every minute. */
export class AlertKeeper implements Service {
  readonly name = 'alerts';
  readonly #options: AlertKeeperOptions;
  #timer: Timer | null = null;
  #stopped = false;
  #look: Promise<void> = Promise.resolve();

  constructor(options: AlertKeeperOptions) {
    this.#options = options;
  }

  /** For `JobQueue.onEvent`. */
  receive(event: JobEvent): void {
    if (event.type !== 'job.changed') return;
    const { book } = this.#options;
    const { job } = event;
    const failure = jobFailure(job);
    if (failure !== null) book.raise(failure);
    if (DISK_CODES.has(job.error?.code ?? '') && this.#timer !== null) this.#arm(SOON_MS);
    if (job.status !== 'succeeded') return;
    book.end(jobFailureKey(job));
    if (job.kind === 'recover') for (const recovery of recoveries(job)) book.raise(recovery);
    if (job.kind === 'backup') for (const sighting of writtenAround(job)) book.raise(sighting);
  }

  async start(): Promise<void> {
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#look;
  }

  /** What lasts now, as alerts. */
  async look(): Promise<void> {
    const { book, logger } = this.#options;
    try {
      book.observe(CONDITION_KINDS, await this.#conditions());
    } catch (error) {
      // The next look is in a minute; state.db that cannot be written is told of by readiness.
      logger.warn({ error: messageOf(error) }, 'alerts cannot be kept');
    }
  }

  #arm(delayMs = LOOK_MS): void {
    this.#timer?.cancel();
    if (this.#stopped) return;
    const next = (): void => {
      this.#timer = null;
      this.#look = this.look().then(() => this.#arm());
    };
    this.#timer = this.#options.clock.after(delayMs, next, { unref: true });
  }

  async #conditions(): Promise<AlertSighting[]> {
    const { live, clock, startedAtMs, report, sourceFacts, schedules } = this.#options;
    const { sources, stateDirectory, quarantine } = live.current;
    // A state directory that cannot be read is told of by readiness; other conditions are looked at all the same.
    const listing = listQuarantine(stateDirectory).catch(() => []);
    const [health, quarantined] = await Promise.all([report(), listing]);
    const nowMs = clock.nowMs();
    return [
      ...findingConditions(health),
      ...probeConditions(health.ready),
      ...sources.flatMap(({ id }) => databaseConditions(id, sourceFacts(id))),
      ...sources.flatMap(({ id }) => drillConditions(id, sourceFacts(id), nowMs)),
      ...staleSchedules(schedules(), startedAtMs, nowMs),
      ...quarantineConditions(quarantined.length, quarantine.maxCount),
    ];
  }
}
