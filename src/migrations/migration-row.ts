/**
 * Every step that was tried on a database of any source: <state>/migrations.db, of Holdfast's own, beside state.db,
 * which the daemon alone may open. Workers write it as they run the steps, so it also tells of those cut short.
 */
export interface MigrationRow {
  /** Ascending. */
  readonly sequence: number;
  readonly sourceId: string;
  /** Logical path. */
  readonly database: string;
  readonly version: string;
  readonly name: string;
  /** SHA-256 of the file that was run. */
  readonly checksum: string;
  readonly direction: 'up' | 'down';
  /** The version of the database once it has run. */
  readonly leadsTo: string;
  /** What it was part of. */
  readonly purpose: MigrationPurpose;
  readonly jobId: string;
  /** Epoch ms. */
  readonly startedAt: number;
  /** Null: it runs, or its process ended. */
  readonly finishedAt: number | null;
  /** Null as long as `finishedAt` is. */
  readonly success: boolean | null;
  readonly error: string | null;
  /** Whether the copy it ran on was put in the place of the database; null: not yet, or not known. */
  readonly installed: boolean | null;
}

export type MigrationPurpose = 'migrate' | 'restore' | 'stage' | 'import';

export type NewMigrationRow = Omit<
  MigrationRow,
  'sequence' | 'finishedAt' | 'success' | 'error' | 'installed'
>;

export const MIGRATION_ROWS_SCHEMA = `
  CREATE TABLE IF NOT EXISTS migrations (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    sourceId TEXT NOT NULL,
    database TEXT NOT NULL,
    version TEXT NOT NULL,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('up', 'down')),
    leadsTo TEXT NOT NULL,
    purpose TEXT NOT NULL,
    jobId TEXT NOT NULL,
    startedAt INTEGER NOT NULL,
    finishedAt INTEGER,
    success INTEGER,
    error TEXT,
    installed INTEGER,
    CHECK ((finishedAt IS NULL) = (success IS NULL))
  ) STRICT`;

const toBoolean = (value: unknown): boolean | null => (value === null ? null : value === 1);

/** A row as SQLite gives it. */
export function rowOf(row: Record<string, unknown>): MigrationRow {
  const { success, installed } = row;
  return {
    ...(row as unknown as MigrationRow),
    success: toBoolean(success),
    installed: toBoolean(installed),
  };
}
