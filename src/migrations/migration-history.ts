import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { makeDirectory } from '../files/durable.ts';
import { durableStepSync } from '../files/durable-steps.ts';
import { createPrivateFile } from '../files/private-file.ts';
import { messageOf, systemCode } from '../kernel/errors.ts';
import {
  MIGRATION_ROWS_SCHEMA,
  type MigrationRow,
  type NewMigrationRow,
  rowOf,
} from './migration-row.ts';

/** The oldest rows give way. */
export const HISTORY_ROWS_MAX = 10_000;
const ERROR_CHARACTERS_MAX = 2_000;
const BUSY_TIMEOUT_MS = 10_000;

export const historyPath = (stateDirectory: string): string =>
  join(stateDirectory, 'migrations.db');

function connect(path: string): Database.Database {
  createPrivateFile(path);
  const connection = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    connection.pragma('synchronous = FULL');
    connection.exec(MIGRATION_ROWS_SCHEMA);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

const isDamage = (error: unknown): boolean =>
  /^SQLITE_(CORRUPT|NOTADB|ERROR)/.test(systemCode(error) ?? '');

/** The history, each change durable when it returns; several processes may have it open. */
export class MigrationHistory {
  readonly #connection: Database.Database;

  private constructor(connection: Database.Database) {
    this.#connection = connection;
  }

  /** One that is damaged is set aside, and a new one begun: what it tells of matters more than it does. */
  static async open(
    stateDirectory: string,
    warn: (message: string) => void,
  ): Promise<MigrationHistory> {
    await makeDirectory(stateDirectory);
    const path = historyPath(stateDirectory);
    try {
      return new MigrationHistory(connect(path));
    } catch (error) {
      if (!isDamage(error)) throw error;
      warn(`"${path}" is damaged (${messageOf(error)}): it was set aside, and a new one begun`);
      await rename(path, `${path}.damaged`);
      return new MigrationHistory(connect(path));
    }
  }

  /** Null where no step was ever tried: nothing is made. */
  static async openExisting(
    stateDirectory: string,
    warn: (message: string) => void,
  ): Promise<MigrationHistory | null> {
    return existsSync(historyPath(stateDirectory))
      ? MigrationHistory.open(stateDirectory, warn)
      : null;
  }

  close(): void {
    this.#connection.close();
  }

  /** Newest first, those before `before`. */
  list(
    filter: { readonly sourceId?: string | undefined; readonly database?: string | undefined },
    before: number | null,
    limit: number,
  ): MigrationRow[] {
    const { sourceId = null, database = null } = filter;
    const rows = this.#connection
      .prepare(
        `SELECT * FROM migrations WHERE (@sourceId IS NULL OR sourceId = @sourceId)
           AND (@database IS NULL OR database = @database) AND (@before IS NULL OR sequence < @before)
         ORDER BY sequence DESC LIMIT @limit`,
      )
      .all({ sourceId, database, before, limit });
    return (rows as Record<string, unknown>[]).map(rowOf);
  }

  /** Checksums of the steps that are known to stand in a database, by version: as they were when they ran. */
  checksums(sourceId: string, database: string): ReadonlyMap<string, string> {
    const rows = this.#connection
      .prepare(
        `SELECT version, checksum, direction FROM migrations
         WHERE sourceId = ? AND database = ? AND success = 1 AND installed = 1 ORDER BY sequence`,
      )
      .all(sourceId, database) as Pick<MigrationRow, 'version' | 'checksum' | 'direction'>[];
    const run = new Map<string, string>();
    for (const { version, checksum, direction } of rows) {
      if (direction === 'up') run.set(version, checksum);
      else run.delete(version);
    }
    return run;
  }

  /** Durable before the step runs. Returns its sequence. */
  begin(row: NewMigrationRow): number {
    return this.#commit(() => {
      const { lastInsertRowid } = this.#connection
        .prepare(
          `INSERT INTO migrations (sourceId, database, version, name, checksum, direction, leadsTo, purpose, jobId, startedAt)
           VALUES (@sourceId, @database, @version, @name, @checksum, @direction, @leadsTo, @purpose, @jobId, @startedAt)`,
        )
        .run({ ...row, startedAt: Math.round(row.startedAt) });
      const sequence = Number(lastInsertRowid);
      this.#connection
        .prepare('DELETE FROM migrations WHERE sequence <= ?')
        .run(sequence - HISTORY_ROWS_MAX);
      return sequence;
    });
  }

  finish(sequence: number, finishedAt: number, error: string | null): void {
    this.#run('UPDATE migrations SET finishedAt = ?, success = ?, error = ? WHERE sequence = ?', [
      Math.round(finishedAt),
      error === null ? 1 : 0,
      error?.slice(0, ERROR_CHARACTERS_MAX) ?? null,
      sequence,
    ]);
  }

  /** What became of the copies that the steps of a job ran on; `database`: of this one, null: of all. */
  settle(jobId: string, database: string | null, installed: boolean): void {
    this.#run(
      `UPDATE migrations SET installed = ? WHERE jobId = ? AND installed IS NULL
         AND database = ifnull(?, database)`,
      [installed ? 1 : 0, jobId, database],
    );
  }

  /** Ends the steps of a job whose process has ended; null: of every job, since none runs. */
  interrupt(jobId: string | null, nowMs: number): void {
    this.#run(
      `UPDATE migrations SET finishedAt = ?, success = 0, error = 'interrupted', installed = 0
       WHERE finishedAt IS NULL AND jobId = ifnull(?, jobId)`,
      [Math.round(nowMs), jobId],
    );
  }

  /**
   * Judges what jobs left undecided whose process ended: a step that never finished was interrupted, and the copy is in
   * place exactly where the database has the version that its last step leads to. A restore that was staged may still
   * be put in place.
   * @param version of the database now; null: unknown
   */
  settleInterrupted(
    { sourceId, database }: Pick<MigrationRow, 'sourceId' | 'database'>,
    version: string | null,
    jobId: string,
    nowMs: number,
  ): void {
    const left = { sourceId, database, jobId };
    const isLeft =
      'sourceId = @sourceId AND database = @database AND jobId <> @jobId AND installed IS NULL';
    this.#commit(() => {
      this.#connection
        .prepare(
          `UPDATE migrations SET finishedAt = @nowMs, success = 0, error = 'interrupted', installed = 0
           WHERE ${isLeft} AND finishedAt IS NULL`,
        )
        .run({ ...left, nowMs: Math.round(nowMs) });
      this.#connection
        .prepare(
          `UPDATE migrations SET installed = ifnull(@version = (
             SELECT leadsTo FROM migrations AS other WHERE other.jobId = migrations.jobId
               AND other.database = @database AND other.success = 1 ORDER BY sequence DESC LIMIT 1), 0)
           WHERE ${isLeft} AND purpose <> 'stage'`,
        )
        .run({ ...left, version });
    });
  }

  #run(sql: string, values: readonly unknown[]): void {
    this.#commit(() => this.#connection.prepare(sql).run(...values));
  }

  #commit<Result>(work: () => Result): Result {
    const transaction = this.#connection.transaction(work);
    return durableStepSync('sqlite-commit', this.#connection.name, () => transaction.immediate());
  }
}
