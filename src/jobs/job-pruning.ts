import type Database from 'better-sqlite3';

/**
 * Finished jobs kept, the newest; the logs of older ones go with them. The last of each kind is kept whatever came
 * since, so that it stays known how a weekly check ended.
 */
export const FINISHED_JOBS_MAX = 1_000;
/** All kept log text of finished jobs together; the oldest logs go first, their jobs stay. */
export const LOG_BYTES_TOTAL_MAX = 256 * 1024 * 1024;

export interface HistoryBounds {
  readonly jobs: number;
  readonly logBytes: number;
}

/** Where nobody says otherwise. */
export const HISTORY_BOUNDS: HistoryBounds = {
  jobs: FINISHED_JOBS_MAX,
  logBytes: LOG_BYTES_TOTAL_MAX,
};

/** Removes what is over the bounds, as part of the caller's transaction. */
export function pruneJobs(
  connection: Database.Database,
  bounds: HistoryBounds = HISTORY_BOUNDS,
): void {
  connection
    .prepare(
      `DELETE FROM jobs WHERE finishOrder <=
         (SELECT finishOrder FROM jobs WHERE finishOrder IS NOT NULL
          ORDER BY finishOrder DESC LIMIT 1 OFFSET ?)
       AND finishOrder NOT IN
         (SELECT max(finishOrder) FROM jobs WHERE finishOrder IS NOT NULL
          GROUP BY kind, status, json_extract(params, '$.dryRun'))`,
    )
    .run(bounds.jobs);
  const overBound = connection
    .prepare(
      `SELECT sequence FROM
         (SELECT sequence, sum(logBytes) OVER (ORDER BY finishOrder DESC) AS total
          FROM jobs WHERE finishOrder IS NOT NULL AND logBytes > 0)
       WHERE total > ?`,
    )
    .pluck()
    .all(bounds.logBytes) as number[];
  const removeLog = connection.prepare('DELETE FROM jobLogs WHERE jobSequence = ?');
  const forgetBytes = connection.prepare('UPDATE jobs SET logBytes = 0 WHERE sequence = ?');
  for (const sequence of overBound) {
    removeLog.run(sequence);
    forgetBytes.run(sequence);
  }
}
