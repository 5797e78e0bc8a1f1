import type Database from 'better-sqlite3';

/** Finished jobs kept, the newest; the logs of older ones go with them. */
export const FINISHED_JOBS_MAX = 1_000;
/** All kept log text of finished jobs together; the oldest logs go first, their jobs stay. */
export const LOG_BYTES_TOTAL_MAX = 256 * 1024 * 1024;

/** Removes what is over the bounds, as part of the caller's transaction. */
export function pruneJobs(
  connection: Database.Database,
  bounds: { jobs: number; logBytes: number } = {
    jobs: FINISHED_JOBS_MAX,
    logBytes: LOG_BYTES_TOTAL_MAX,
  },
): void {
  connection
    .prepare(
      `DELETE FROM jobs WHERE finishOrder <=
         (SELECT finishOrder FROM jobs WHERE finishOrder IS NOT NULL
          ORDER BY finishOrder DESC LIMIT 1 OFFSET ?)`,
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
