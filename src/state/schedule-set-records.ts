import type { ScheduleDefinition } from '../config/settings.ts';
import type { StateDatabase } from './state-database.ts';

/** The set of schedules in force, as one document. Times: epoch ms. */
export interface ScheduleSetRecord {
  /** Rises by one with every change. */
  readonly version: number;
  readonly origin: 'configuration' | 'rpc';
  readonly schedules: readonly ScheduleDefinition[];
  /** `all`, or the keys of single schedules. */
  readonly paused: { readonly all: boolean; readonly keys: readonly string[] };
  readonly changedAt: number;
  /** The version that the scheduler goes by; null: none yet. */
  readonly appliedVersion: number | null;
  readonly appliedAt: number | null;
}

type Row = Omit<ScheduleSetRecord, 'schedules' | 'paused'> & { schedules: string; paused: string };

export class ScheduleSetRecords {
  readonly #state: StateDatabase;

  constructor(state: StateDatabase) {
    this.#state = state;
  }

  /** Null until the first set is stored. */
  get(): ScheduleSetRecord | null {
    const row = this.#state.connection
      .prepare(
        'SELECT version, origin, schedules, paused, changedAt, appliedVersion, appliedAt FROM scheduleSet',
      )
      .get() as Row | undefined;
    if (row === undefined) return null;
    return { ...row, schedules: JSON.parse(row.schedules), paused: JSON.parse(row.paused) };
  }

  /** What `change` makes of the set becomes the set; all in one transaction, so that no change is lost to another. */
  update(change: (known: ScheduleSetRecord | null) => ScheduleSetRecord): ScheduleSetRecord {
    return this.#state.transaction(() => {
      const record = change(this.get());
      this.#state.connection
        .prepare(
          `INSERT OR REPLACE INTO scheduleSet
             (id, version, origin, schedules, paused, changedAt, appliedVersion, appliedAt)
           VALUES (1, @version, @origin, @schedules, @paused, @changedAt, @appliedVersion, @appliedAt)`,
        )
        .run({
          ...record,
          schedules: JSON.stringify(record.schedules),
          paused: JSON.stringify(record.paused),
        });
      return record;
    });
  }
}
