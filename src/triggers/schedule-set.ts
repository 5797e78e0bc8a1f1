import type { LiveSettings } from '../config/live-settings.ts';
import { scheduleDefinitions } from '../config/resolve-schedules.ts';
import type { ScheduleDefinition, SourceSettings } from '../config/settings.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import type { Service } from '../kernel/service.ts';
import type { ScheduleSetRecord } from '../state/schedule-set-records.ts';
import { type ChosenSchedules, chooseSchedules, type RejectedSchedule } from './schedule-choice.ts';
import {
  findSchedule,
  type ScheduleReference,
  withChanges,
  withSchedule,
} from './schedule-edits.ts';
import { readSchedules } from './schedule-input.ts';
import { keyOf, keyText } from './schedule-key.ts';
import type { Scheduler } from './scheduler.ts';

export interface ScheduleSetOptions {
  /** As state/schedule-set-records.ts has it. */
  readonly records: {
    get(): ScheduleSetRecord | null;
    update(change: (known: ScheduleSetRecord | null) => ScheduleSetRecord): ScheduleSetRecord;
  };
  readonly scheduler: Pick<Scheduler, 'apply' | 'stop'>;
  readonly live: LiveSettings;
  readonly clock: Clock;
  /** Hears each time the scheduler goes by another set, or by another part of it. */
  readonly onApplied: (acknowledgement: ScheduleAcknowledgement) => void;
}

/** What the set is, and what of it is in force. Times: ISO 8601. */
export interface ScheduleAcknowledgement {
  readonly version: number;
  readonly origin: 'configuration' | 'rpc';
  readonly paused: boolean;
  /** Null until triggers are armed for the first time. */
  readonly appliedVersion: number | null;
  readonly appliedAt: string | null;
  /** How many schedules have due times now. */
  readonly applied: number;
  /** What cannot be in force, and why. */
  readonly rejected: readonly RejectedSchedule[];
}

/**
 * The one set of schedules, kept in state.db as a versioned document: the configuration's, until somebody sets
 * others, and from then on those, until they are reset.
 */
export class ScheduleSet implements Service {
  readonly name = 'schedules';
  readonly #options: ScheduleSetOptions;
  #record: ScheduleSetRecord;
  #isArmed = false;
  #unsubscribe: () => void = () => {};

  constructor(options: ScheduleSetOptions) {
    this.#options = options;
    this.#record = this.#adoptConfiguration();
  }

  /** Resolves when missed runs were asked for. */
  async start(): Promise<void> {
    this.#isArmed = true;
    // Settings may have changed since this was made.
    this.#record = this.#adoptConfiguration();
    this.#unsubscribe = this.#options.live.onChange(() => {
      this.#record = this.#adoptConfiguration();
      this.#apply();
    });
    this.#apply();
  }

  async stop(): Promise<void> {
    this.#isArmed = false;
    this.#unsubscribe();
    this.#options.scheduler.stop();
  }

  get record(): ScheduleSetRecord {
    return this.#record;
  }

  /** Which schedules are in force, and why the others are not. */
  choice(): ChosenSchedules {
    return chooseSchedules(this.#record, this.#options.live.current.sources);
  }

  acknowledgement(): ScheduleAcknowledgement {
    const { version, origin, paused, appliedVersion, appliedAt } = this.#record;
    const { active, rejected } = this.choice();
    return {
      version,
      origin,
      paused: paused.all,
      appliedVersion,
      appliedAt: appliedAt === null ? null : isoTime(appliedAt),
      applied: this.#isArmed ? active.length : 0,
      rejected,
    };
  }

  /** @throws VERSION_CONFLICT, INVALID_CRON, INVALID_PARAMS, LIMIT_EXCEEDED; then nothing was changed */
  replace(given: readonly unknown[], expectVersion?: number): ScheduleAcknowledgement {
    return this.#change(expectVersion, () => readSchedules(given, this.#sources));
  }

  /** @throws as `replace` */
  add(given: unknown, expectVersion?: number): ScheduleAcknowledgement {
    return this.#change(expectVersion, ({ schedules }) =>
      withSchedule(schedules, given, this.#sources),
    );
  }

  /** What `changes` does not name stays as it is. @throws as `replace`; NOT_FOUND, AMBIGUOUS_ID */
  update(
    reference: ScheduleReference,
    changes: object,
    expectVersion?: number,
  ): ScheduleAcknowledgement {
    return this.#change(expectVersion, ({ schedules }) =>
      withChanges(schedules, reference, changes, this.#sources),
    );
  }

  /** @throws NOT_FOUND, AMBIGUOUS_ID, VERSION_CONFLICT */
  remove(reference: ScheduleReference, expectVersion?: number): ScheduleAcknowledgement {
    return this.#change(expectVersion, ({ schedules }) => {
      const target = findSchedule(schedules, reference, this.#sources);
      return schedules.filter((each) => each !== target);
    });
  }

  /** From now on the configuration's schedules hold again. @throws VERSION_CONFLICT */
  reset(expectVersion?: number): ScheduleAcknowledgement {
    return this.#change(
      expectVersion,
      () => scheduleDefinitions(this.#options.live.current),
      'configuration',
    );
  }

  /** Null: all of them. What was missed meanwhile is not made up for. @throws NOT_FOUND, AMBIGUOUS_ID */
  setPaused(reference: ScheduleReference | null, isPaused: boolean): ScheduleAcknowledgement {
    this.#record = this.#options.records.update(() => {
      const record = this.#record;
      const { all, keys } = record.paused;
      if (reference === null) return { ...record, paused: { all: isPaused, keys } };
      const key = keyText(keyOf(findSchedule(record.schedules, reference, this.#sources)));
      const others = keys.filter((each) => each !== key);
      return { ...record, paused: { all, keys: isPaused ? [...others, key] : others } };
    });
    this.#apply();
    return this.acknowledgement();
  }

  #change(
    expectVersion: number | undefined,
    edit: (record: ScheduleSetRecord) => readonly ScheduleDefinition[],
    origin: ScheduleSetRecord['origin'] = 'rpc',
  ): ScheduleAcknowledgement {
    const { records } = this.#options;
    this.#record = records.update(() => {
      const record = this.#record;
      if (expectVersion !== undefined && expectVersion !== record.version) {
        throw versionConflict(expectVersion, record.version);
      }
      return this.#next(record, edit(record), origin);
    });
    this.#apply();
    return this.acknowledgement();
  }

  #next(
    record: ScheduleSetRecord,
    schedules: readonly ScheduleDefinition[],
    origin: ScheduleSetRecord['origin'],
  ): ScheduleSetRecord {
    const known = new Set(schedules.map((schedule) => keyText(keyOf(schedule))));
    return {
      ...record,
      version: record.version + 1,
      origin,
      schedules,
      paused: { ...record.paused, keys: record.paused.keys.filter((key) => known.has(key)) },
      changedAt: Math.round(this.#options.clock.nowMs()),
    };
  }

  /** Another configuration is another version of the set, while the set is the configuration's. */
  #adoptConfiguration(): ScheduleSetRecord {
    const { records, live } = this.#options;
    const known = records.get();
    if (known?.origin === 'rpc') return known;
    const schedules = scheduleDefinitions(live.current);
    if (known !== null && JSON.stringify(known.schedules) === JSON.stringify(schedules))
      return known;
    return records.update((record) => this.#next(record ?? NO_SET, schedules, 'configuration'));
  }

  /** Hands the scheduler what is in force, once triggers are armed; jobs under way go on. */
  #apply(): void {
    if (!this.#isArmed) return;
    const { scheduler, records, clock, onApplied } = this.#options;
    scheduler.apply(this.choice().active, this.#record.schedules.map(keyOf));
    this.#record = records.update(() => ({
      ...this.#record,
      appliedVersion: this.#record.version,
      appliedAt: Math.round(clock.nowMs()),
    }));
    onApplied(this.acknowledgement());
  }

  get #sources(): readonly SourceSettings[] {
    return this.#options.live.current.sources;
  }
}

const NO_SET: ScheduleSetRecord = {
  version: 0,
  origin: 'configuration',
  schedules: [],
  paused: { all: false, keys: [] },
  changedAt: 0,
  appliedVersion: null,
  appliedAt: null,
};

function versionConflict(expected: number, found: number) {
  return cannot(
    'VERSION_CONFLICT',
    'change',
    'schedules',
    `they are at version ${found}, not ${expected}`,
    {
      hint: 'Somebody else changed them: read them again with holdfast schedule list.',
      details: { expected, version: found },
    },
  );
}
