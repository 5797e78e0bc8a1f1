import type { ErrorDocument } from '../kernel/errors.ts';
import type { StateDatabase } from './state-database.ts';

/** What is done to a source; maintenance of the repository is left to its next tick. */
export const RETRIED_KINDS = ['backup', 'verify', 'drill', 'publish'] as const;
export type RetriedKind = (typeof RETRIED_KINDS)[number];

/** A tick whose run failed and is to be tried again. One for each schedule. Times: epoch ms. */
export interface RetryRecord {
  readonly sourceId: string;
  readonly scheduleId: string;
  readonly kind: RetriedKind;
  /** The tick that all attempts are for. */
  readonly dueAt: number;
  /** Runs that failed so far. */
  readonly attempt: number;
  readonly nextAttemptAt: number;
  readonly lastJobId: string;
  readonly lastError: Pick<ErrorDocument, 'code' | 'message'>;
  readonly failedAt: number;
}

const COLUMNS =
  'sourceId, scheduleId, kind, dueAt, attempt, nextAttemptAt, lastJobId, lastError, failedAt';

export class RetryRecords {
  readonly #state: StateDatabase;

  constructor(state: StateDatabase) {
    this.#state = state;
  }

  /** The next one first. */
  list(): RetryRecord[] {
    const rows = this.#state.connection
      .prepare(`SELECT ${COLUMNS} FROM retries ORDER BY nextAttemptAt, sourceId, scheduleId`)
      .all() as (Omit<RetryRecord, 'lastError'> & { lastError: string })[];
    return rows.map((row) => ({ ...row, lastError: JSON.parse(row.lastError) }));
  }

  put(record: RetryRecord): void {
    this.#state.transaction(() =>
      this.#state.connection
        .prepare(
          `INSERT OR REPLACE INTO retries (${COLUMNS})
           VALUES (@sourceId, @scheduleId, @kind, @dueAt, @attempt, @nextAttemptAt, @lastJobId, @lastError,
                   @failedAt)`,
        )
        .run({ ...record, lastError: JSON.stringify(record.lastError) }),
    );
  }

  /** False where there was none. */
  remove(sourceId: string, scheduleId: string): boolean {
    return this.#state.transaction(
      () =>
        this.#state.connection
          .prepare('DELETE FROM retries WHERE sourceId = ? AND scheduleId = ?')
          .run(sourceId, scheduleId).changes > 0,
    );
  }
}
