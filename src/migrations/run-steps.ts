import type Database from 'better-sqlite3';
import type { MigrationSettings } from '../config/settings.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot, diskFailure, messageOf } from '../kernel/errors.ts';
import { countOrphans, newOrphans, type Orphans } from './foreign-keys.ts';
import type { MigrationHistory } from './migration-history.ts';
import type { MigrationPurpose } from './migration-row.ts';
import { readSchemaVersion } from './schema-version.ts';
import { compareVersions, NO_VERSION } from './semantic-version.ts';
import type { Step, StepSet } from './step.ts';
import { runModule } from './step-module.ts';
import { runStatement, stepStatements } from './step-statements.ts';

/** What a run of steps came to. */
export interface MigrationResult {
  readonly success: boolean;
  readonly message: string;
  readonly migrationsRun: number;
  readonly migrationsTotal: number;
  readonly appliedVersions: readonly string[];
  readonly errors: readonly string[];
}

export interface StepsRun {
  readonly set: StepSet;
  /** In the order in which they run. */
  readonly steps: readonly Step[];
  readonly direction: 'up' | 'down';
  readonly settings: MigrationSettings;
  readonly sourceId: string;
  readonly purpose: MigrationPurpose;
  readonly jobId: string;
  readonly history: MigrationHistory;
}

export const NOTHING_TO_DO: MigrationResult = {
  success: true,
  message: 'nothing to do',
  migrationsRun: 0,
  migrationsTotal: 0,
  appliedVersions: [],
  errors: [],
};

/**
 * Runs steps on a private copy, each in one transaction together with its version, and with its own row of the history.
 * The first failure ends it, and a cancel between two steps: the copy then has the steps before.
 * @throws MIGRATION_FAILED with the MigrationResult in its details
 */
export async function runSteps(
  database: Database.Database,
  run: StepsRun,
  clock: Clock,
  activity: Activity,
): Promise<MigrationResult> {
  const { steps, direction, settings } = run;
  if (steps.length === 0) return NOTHING_TO_DO;
  requireRunnable(run);
  const appliedVersions: string[] = [];
  const counts = { phase: 'migrate', totalFiles: steps.length };
  database.pragma('foreign_keys = OFF');
  let orphans = countOrphans(database);
  for (const [filesDone, step] of steps.entries()) {
    activity.signal.throwIfAborted();
    const label = labelOf(step);
    activity.progress({ ...counts, currentFile: label, filesDone });
    try {
      orphans = await runRecorded(database, run, step, orphans, clock);
    } catch (error) {
      throw stepFailure(error, label, { run, appliedVersions });
    }
    appliedVersions.push(step.version);
    activity.log(`${settings.database}: ${direction} ${label}`);
  }
  activity.progress({ ...counts, filesDone: steps.length });
  const message = `${steps.length} of ${steps.length} steps ${direction}`;
  const total = { migrationsRun: steps.length, migrationsTotal: steps.length };
  return { success: true, message, ...total, appliedVersions, errors: [] };
}

const labelOf = ({ version, name }: Step): string => `${version}_${name}`;

/** What no step may hold is refused before the first one runs. @throws MIGRATION_FAILED */
export function requireRunnable(run: Pick<StepsRun, 'steps' | 'direction' | 'settings'>): void {
  for (const step of run.steps) {
    try {
      const { kind, text, file } = wayOf(step, run.direction);
      if (kind === 'sql') stepStatements(text, file);
    } catch (error) {
      throw stepFailure(error, labelOf(step), { run, appliedVersions: [] });
    }
  }
}

function stepFailure(
  error: unknown,
  label: string,
  {
    run,
    appliedVersions,
  }: {
    run: Pick<StepsRun, 'steps' | 'direction' | 'settings'>;
    appliedVersions: readonly string[];
  },
): Error {
  const { steps, direction, settings } = run;
  const state = `step ${label} (${direction}) failed: ${messageOf(error)}`;
  const migration: MigrationResult = {
    success: false,
    message: state,
    migrationsRun: appliedVersions.length,
    migrationsTotal: steps.length,
    appliedVersions,
    errors: [messageOf(error)],
  };
  const disk = diskFailure(error);
  return cannot(disk ?? 'MIGRATION_FAILED', 'migrate', settings.database, state, {
    // Nothing is wrong with the step where its copy, or the history, could not be written.
    hint:
      disk === null
        ? 'The database is as it was: steps run on a copy of it. Correct the step, then try again.'
        : 'The database is as it was: steps run on a copy of it. Look at the disk and its free space, then try again.',
    retryable: disk === 'NO_SPACE',
    details: { migration },
    cause: error,
  });
}

/** The row is there before the step begins, so that one whose process ends is told of too. */
async function runRecorded(
  database: Database.Database,
  run: StepsRun,
  step: Step,
  orphans: Orphans,
  clock: Clock,
): Promise<Orphans> {
  const { direction, settings, sourceId, purpose, jobId, history } = run;
  const { version, name } = step;
  const { checksum } = wayOf(step, direction);
  const leadsTo = versionAfter(step, run).version;
  const about = { database: settings.database, version, name, checksum, direction, leadsTo };
  const startedAt = clock.nowMs();
  const sequence = history.begin({ ...about, sourceId, purpose, jobId, startedAt });
  try {
    const after = await runInTransaction(database, run, step, orphans);
    history.finish(sequence, clock.nowMs(), null);
    return after;
  } catch (error) {
    history.finish(sequence, clock.nowMs(), messageOf(error));
    throw error;
  }
}

function wayOf({ up, down, version, name }: Step, direction: 'up' | 'down') {
  const way = direction === 'up' ? up : down;
  if (way === null) throw new Error(`${version}_${name} cannot be undone`);
  return way;
}

/** Where the database is after a step: at its version, or, undone, at that of the one before. */
function versionAfter(
  step: Step,
  { direction, set }: Pick<StepsRun, 'direction' | 'set'>,
): Pick<Step, 'version' | 'number'> {
  if (direction === 'up') return step;
  const before = set.steps.findLast(({ version }) => compareVersions(version, step.version) < 0);
  return before ?? { version: NO_VERSION, number: 0 };
}

async function runInTransaction(
  database: Database.Database,
  run: StepsRun,
  step: Step,
  orphansBefore: Orphans,
): Promise<Orphans> {
  const way = wayOf(step, run.direction);
  // As a step finds them, whatever the one before did; neither is part of its transaction.
  database.pragma('legacy_alter_table = OFF');
  database.pragma('recursive_triggers = OFF');
  database.exec('BEGIN IMMEDIATE');
  try {
    if (way.kind === 'module') await runModule(database, way, run.direction);
    else {
      for (const statement of stepStatements(way.text, way.file)) runStatement(database, statement);
    }
    if (!database.inTransaction) throw new Error('it ended the transaction it ran in');
    writeVersion(database, run, step);
    const orphans = countOrphans(database);
    const worse = newOrphans(orphansBefore, orphans);
    if (worse !== null) throw new Error(worse);
    database.exec('COMMIT');
    return orphans;
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** In the same transaction: a database never says a version that it does not have. */
function writeVersion(database: Database.Database, run: StepsRun, step: Step): void {
  const { settings, set } = run;
  const { version, number } = versionAfter(step, run);
  if (settings.versionQuery === null) database.pragma(`user_version = ${number}`);
  else if (settings.versionStatement !== null) {
    database.prepare(settings.versionStatement).run({ version, number });
  }
  const found = readSchemaVersion(database, settings, set);
  if (found.state === 'known' && compareVersions(found.version, version) === 0) return;
  const said = found.state === 'unknown' ? found.reason : `it says ${found.version}`;
  throw new Error(`afterwards the version should be ${version}: ${said}`);
}
