import type { StateDatabase } from './state-database.ts';

/** Ticks kept for each schedule, the latest: one a minute for a week. */
export const FIRES_KEPT = 10_000;

export interface ScheduleFire {
  /** Empty for schedules of the repository as a whole. */
  readonly sourceId: string;
  readonly scheduleId: string;
  /** The tick and when its job was made, epoch ms. */
  readonly dueAt: number;
  readonly firedAt: number;
  readonly jobId: string;
}

/** Which ticks became jobs. A tick that is here never becomes a second one. */
export class ScheduleFires {
  readonly #state: StateDatabase;

  constructor(state: StateDatabase) {
    this.#state = state;
  }

  has(sourceId: string, scheduleId: string, dueAt: number): boolean {
    return (
      this.#state.connection
        .prepare('SELECT 1 FROM scheduleFires WHERE sourceId = ? AND scheduleId = ? AND dueAt = ?')
        .get(sourceId, scheduleId, dueAt) !== undefined
    );
  }

  /** Fails where the tick is known: the transaction that it is part of must then not be. */
  insert(fire: ScheduleFire): void {
    this.#state.transaction(() => {
      const { connection } = this.#state;
      connection
        .prepare(
          `INSERT INTO scheduleFires (sourceId, scheduleId, dueAt, firedAt, jobId)
           VALUES (@sourceId, @scheduleId, @dueAt, @firedAt, @jobId)`,
        )
        .run(fire);
      connection
        .prepare(
          `DELETE FROM scheduleFires WHERE sourceId = @sourceId AND scheduleId = @scheduleId AND dueAt <=
             (SELECT dueAt FROM scheduleFires WHERE sourceId = @sourceId AND scheduleId = @scheduleId
              ORDER BY dueAt DESC LIMIT 1 OFFSET @kept)`,
        )
        .run({ sourceId: fire.sourceId, scheduleId: fire.scheduleId, kept: FIRES_KEPT });
    });
  }

  /** Forgets ticks that lie beyond `afterMs`: they were fired by a clock that was wrong. */
  forgetAfter(afterMs: number): void {
    this.#state.transaction(() =>
      this.#state.connection.prepare('DELETE FROM scheduleFires WHERE dueAt > ?').run(afterMs),
    );
  }

  /** Forgets those of schedules that are no longer there. */
  retainOnly(keep: readonly Pick<ScheduleFire, 'sourceId' | 'scheduleId'>[]): void {
    const kept = new Set(keep.map(({ sourceId, scheduleId }) => `${sourceId}/${scheduleId}`));
    this.#state.transaction(() => {
      const { connection } = this.#state;
      const known = connection
        .prepare('SELECT DISTINCT sourceId, scheduleId FROM scheduleFires')
        .all() as Pick<ScheduleFire, 'sourceId' | 'scheduleId'>[];
      const remove = connection.prepare(
        'DELETE FROM scheduleFires WHERE sourceId = ? AND scheduleId = ?',
      );
      for (const { sourceId, scheduleId } of known) {
        if (!kept.has(`${sourceId}/${scheduleId}`)) remove.run(sourceId, scheduleId);
      }
    });
  }
}
