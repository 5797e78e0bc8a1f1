import type Database from 'better-sqlite3';
import { cannot } from '../kernel/errors.ts';

/**
 * The schema of state.db, as numbered steps that are never edited once released: `user_version` is the number
 * of the last one applied. Column names are the TypeScript names; times are milliseconds since the epoch.
 */
export interface StateMigration {
  readonly version: number;
  readonly sql: string;
}

export const STATE_MIGRATIONS: readonly StateMigration[] = [
  {
    version: 1,
    sql: `
      -- "sequence" is the order of submission, "finishOrder" that of completion: the wall clock may step back.
      CREATE TABLE jobs (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
        sourceId TEXT,
        params TEXT NOT NULL,
        actor TEXT NOT NULL CHECK (actor IN ('user', 'schedule', 'change', 'boot')),
        priority INTEGER NOT NULL,
        mutating INTEGER NOT NULL CHECK (mutating IN (0, 1)),
        coalesceKey TEXT,
        idempotencyKey TEXT UNIQUE,
        createdAt INTEGER NOT NULL,
        startedAt INTEGER,
        finishedAt INTEGER,
        finishOrder INTEGER UNIQUE,
        deadlineMs INTEGER,
        progress TEXT,
        warnings INTEGER NOT NULL DEFAULT 0,
        exitCode INTEGER,
        result TEXT,
        error TEXT,
        workerPid INTEGER,
        logLines INTEGER NOT NULL DEFAULT 0,
        logBytes INTEGER NOT NULL DEFAULT 0,
        CHECK ((status IN ('queued', 'running')) = (finishedAt IS NULL)),
        CHECK ((finishedAt IS NULL) = (finishOrder IS NULL)),
        CHECK ((finishedAt IS NULL) = (exitCode IS NULL))
      ) STRICT;
      CREATE INDEX jobsByStatus ON jobs (status, priority DESC, sequence);
      CREATE TABLE jobLogs (
        jobSequence INTEGER NOT NULL REFERENCES jobs (sequence) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        stream TEXT NOT NULL,
        message TEXT NOT NULL,
        PRIMARY KEY (jobSequence, seq)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE schedules (
        sourceId TEXT NOT NULL,
        scheduleId TEXT NOT NULL,
        version TEXT NOT NULL,
        lastDueAt INTEGER,
        nextDueAt INTEGER,
        lastRunJobId TEXT,
        PRIMARY KEY (sourceId, scheduleId)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE baselines (
        sourceId TEXT PRIMARY KEY,
        sourceFingerprint TEXT NOT NULL,
        snapshotId TEXT NOT NULL,
        at INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE flags (
        key TEXT PRIMARY KEY,
        value TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    version: 2,
    sql: `
      ALTER TABLE jobs ADD COLUMN scheduleId TEXT;
      ALTER TABLE jobs ADD COLUMN scheduledAt INTEGER;
      ALTER TABLE jobs ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
      -- The one set of schedules in force, its number, and how much of it the daemon goes by.
      CREATE TABLE scheduleSet (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        version INTEGER NOT NULL,
        origin TEXT NOT NULL CHECK (origin IN ('configuration', 'rpc')),
        schedules TEXT NOT NULL,
        paused TEXT NOT NULL,
        changedAt INTEGER NOT NULL,
        appliedVersion INTEGER,
        appliedAt INTEGER
      ) STRICT;
      -- Ticks that became jobs: none of them twice, whatever the clock does. No source: ''.
      CREATE TABLE scheduleFires (
        sourceId TEXT NOT NULL,
        scheduleId TEXT NOT NULL,
        dueAt INTEGER NOT NULL,
        firedAt INTEGER NOT NULL,
        jobId TEXT NOT NULL,
        PRIMARY KEY (sourceId, scheduleId, dueAt)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE retries (
        sourceId TEXT NOT NULL,
        scheduleId TEXT NOT NULL,
        kind TEXT NOT NULL,
        dueAt INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        nextAttemptAt INTEGER NOT NULL,
        lastJobId TEXT NOT NULL,
        lastError TEXT NOT NULL,
        failedAt INTEGER NOT NULL,
        PRIMARY KEY (sourceId, scheduleId)
      ) STRICT, WITHOUT ROWID;
    `,
  },
  {
    version: 3,
    sql: `
      -- What was changed while the daemon ran: the newest row holds; older ones are kept to look at.
      CREATE TABLE settingsChanges (
        version INTEGER PRIMARY KEY,
        changedAt INTEGER NOT NULL,
        changes TEXT NOT NULL
      ) STRICT;
    `,
  },
  {
    version: 4,
    sql: `
      -- One row for each condition that somebody should know of; at most one unresolved row for each key.
      CREATE TABLE alerts (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        sourceId TEXT,
        subject TEXT NOT NULL,
        severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
        message TEXT NOT NULL,
        jobId TEXT,
        state TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
        count INTEGER NOT NULL,
        firstSeenAt INTEGER NOT NULL,
        lastSeenAt INTEGER NOT NULL,
        acknowledgedAt INTEGER,
        resolvedAt INTEGER,
        CHECK ((state = 'resolved') = (resolvedAt IS NOT NULL))
      ) STRICT;
      CREATE UNIQUE INDEX unresolvedAlerts ON alerts (kind, ifnull(sourceId, ''), subject) WHERE state <> 'resolved';
      -- Who changed what. "outcome" is null until the call was answered.
      CREATE TABLE audit (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        action TEXT NOT NULL,
        actor TEXT NOT NULL CHECK (actor IN ('user', 'daemon')),
        client TEXT,
        uid INTEGER,
        gid INTEGER,
        pid INTEGER,
        params TEXT NOT NULL,
        outcome TEXT,
        jobId TEXT
      ) STRICT;
    `,
  },
];

export function schemaVersion(database: Database.Database): number {
  return database.pragma('user_version', { simple: true }) as number;
}

/** Changes nothing. @throws UNSUPPORTED_FORMAT when a newer Holdfast wrote the file */
export function refuseNewer(
  database: Database.Database,
  path: string,
  migrations: readonly StateMigration[],
): void {
  const newest = Math.max(0, ...migrations.map(({ version }) => version));
  const current = schemaVersion(database);
  if (current > newest) {
    throw cannot('UNSUPPORTED_FORMAT', 'open', path, `its schema is version ${current}`, {
      hint: `This Holdfast knows versions up to ${newest}: start the newer one that wrote the file.`,
      details: { version: current, newest },
    });
  }
}

/** Applies what is missing, each step and its number in one transaction. */
export function migrateState(
  database: Database.Database,
  path: string,
  migrations: readonly StateMigration[],
): void {
  const current = schemaVersion(database);
  // Rebuilding a table that others refer to would cascade through them if the keys were enforced meanwhile.
  database.pragma('foreign_keys = OFF');
  for (const { version, sql } of migrations) {
    if (version <= current) continue;
    database
      .transaction(() => {
        database.exec(sql);
        const orphans = database.pragma('foreign_key_check') as unknown[];
        if (orphans.length > 0) {
          throw cannot(
            'INTERNAL',
            'migrate',
            path,
            `step ${version} leaves ${orphans.length} orphans`,
          );
        }
        database.pragma(`user_version = ${version}`);
      })
      .immediate();
  }
  database.pragma('foreign_keys = ON');
}
