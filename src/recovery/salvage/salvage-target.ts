import { setImmediate } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import type { Activity } from '../../kernel/activity.ts';
import type { RecordValue } from '../../sqlite/format/record.ts';
import type { SampledRow } from '../report.ts';
import type { DeferredRows } from './deferred-rows.ts';
import type { RejectFile } from './reject-file.ts';
import { describeValue } from './row-fit.ts';
import { SAMPLE_MAX } from './salvage-report.ts';

const ROWS_PER_TRANSACTION = 10_000;
const VALUES_TOLD_MAX = 50;

/** Where the rows of all tables go: the new database, the rows put off, the rows given up. */
export class SalvageTarget {
  readonly database: Database.Database;
  readonly deferred: DeferredRows;
  readonly filledSample: SampledRow[] = [];
  readonly #rejects: RejectFile;
  readonly #activity: Activity;
  #rows = 0;

  constructor(
    database: Database.Database,
    deferred: DeferredRows,
    rejects: RejectFile,
    activity: Activity,
  ) {
    this.database = database;
    this.deferred = deferred;
    this.#rejects = rejects;
    this.#activity = activity;
  }

  /** Called for every row: lets the transaction stay small, and a cancellation come through. */
  async rowDone(): Promise<void> {
    this.#rows += 1;
    if (this.#rows % ROWS_PER_TRANSACTION !== 0) return;
    this.database.exec('COMMIT');
    await setImmediate();
    this.#activity.signal.throwIfAborted();
    this.database.exec('BEGIN');
  }

  /** Everything that `rowDone` commits piece by piece. */
  async inTransactions(run: () => Promise<void>): Promise<void> {
    this.database.exec('BEGIN');
    await run();
    this.database.exec('COMMIT');
  }

  filled(row: SampledRow): void {
    if (this.filledSample.length < SAMPLE_MAX) this.filledSample.push(row);
  }

  reject(row: SampledRow & { readonly page: number }, values: readonly RecordValue[]): void {
    this.#rejects.add({ ...row, values: values.slice(0, VALUES_TOLD_MAX).map(describeValue) });
  }
}
