import type { StateDatabase } from './state-database.ts';

/** What is remembered of one schedule of one source, so that due times outlive the daemon. Times: epoch ms. */
export interface ScheduleRecord {
  readonly sourceId: string;
  readonly scheduleId: string;
  /** Of the definition that `nextDueAt` was computed from; when it differs, compute anew. */
  readonly version: string;
  /** The newest tick that was handed to the queue or deliberately skipped. */
  readonly lastDueAt: number | null;
  readonly nextDueAt: number | null;
  readonly lastRunJobId: string | null;
}

const COLUMNS = 'sourceId, scheduleId, version, lastDueAt, nextDueAt, lastRunJobId';

export class ScheduleRecords {
  readonly #state: StateDatabase;

  constructor(state: StateDatabase) {
    this.#state = state;
  }

  get(sourceId: string, scheduleId: string): ScheduleRecord | null {
    const row = this.#state.connection
      .prepare(`SELECT ${COLUMNS} FROM schedules WHERE sourceId = ? AND scheduleId = ?`)
      .get(sourceId, scheduleId);
    return (row as ScheduleRecord | undefined) ?? null;
  }

  list(): ScheduleRecord[] {
    return this.#state.connection
      .prepare(`SELECT ${COLUMNS} FROM schedules ORDER BY sourceId, scheduleId`)
      .all() as ScheduleRecord[];
  }

  put(record: ScheduleRecord): void {
    this.#state.transaction(() =>
      this.#state.connection
        .prepare(
          `INSERT OR REPLACE INTO schedules (${COLUMNS})
           VALUES (@sourceId, @scheduleId, @version, @lastDueAt, @nextDueAt, @lastRunJobId)`,
        )
        .run(record),
    );
  }

  /** Forgets every schedule that is not in `keep`; returns how many went. */
  retainOnly(keep: readonly Pick<ScheduleRecord, 'sourceId' | 'scheduleId'>[]): number {
    const key = (record: Pick<ScheduleRecord, 'sourceId' | 'scheduleId'>): string =>
      JSON.stringify([record.sourceId, record.scheduleId]);
    const kept = new Set(keep.map(key));
    return this.#state.transaction(() => {
      const remove = this.#state.connection.prepare(
        'DELETE FROM schedules WHERE sourceId = ? AND scheduleId = ?',
      );
      const gone = this.list().filter((record) => !kept.has(key(record)));
      for (const record of gone) remove.run(record.sourceId, record.scheduleId);
      return gone.length;
    });
  }
}
