import { open } from 'node:fs/promises';
import Database from 'better-sqlite3';
import type { MigrationSettings, SourceSettings } from '../../config/settings.ts';
import { removeDurably, syncFile } from '../../files/durable.ts';
import { SIDECAR_SUFFIXES } from '../../files/family-members.ts';
import { cannot, messageOf } from '../../kernel/errors.ts';
import { MigrationHistory } from '../../migrations/migration-history.ts';
import type { MigrationPurpose } from '../../migrations/migration-row.ts';
import {
  type Compatibility,
  compatibilityOf,
  pendingSteps,
  requireCompatible,
} from '../../migrations/plan-steps.ts';
import { type MigrationResult, NOTHING_TO_DO, runSteps } from '../../migrations/run-steps.ts';
import { newestVersion } from '../../migrations/schema-version.ts';
import type { Step, StepSet } from '../../migrations/step.ts';
import { readStepSet } from '../../migrations/step-set.ts';
import { checkDatabase } from '../../sqlite/database-check.ts';
import { isConstraintOnly } from '../../sqlite/integrity-messages.ts';
import type { OperationContext } from '../operation.ts';
import { versionOfCopy } from './schema-of-database.ts';

/** What became of one database that is on its way into a source. */
export interface MigrationOutcome {
  /** Logical path. */
  readonly database: string;
  /** Null: the source names no migrations for it, and nothing is known of its version. */
  readonly compatibility: Compatibility | null;
  readonly migration: MigrationResult;
}

export interface MigrateStagedOptions {
  /** @default 'import' */
  readonly purpose?: MigrationPurpose;
  /** One of a newer version is taken as it is. */
  readonly allowNewer?: boolean | undefined;
  /** False: an older one is left as it is. */
  readonly migrate?: boolean | undefined;
}

export function migrationsOf(
  source: Pick<SourceSettings, 'migrations'>,
  logicalPath: string,
): MigrationSettings | null {
  return source.migrations.find(({ database }) => database === logicalPath) ?? null;
}

/**
 * Brings a staged database, of which nobody else knows yet, up to the newest version of its source. Where no migrations
 * are configured it does nothing. The caller says afterwards what became of it: `settleMigrations`.
 * @param logicalPath such as `data/app.db`
 * @param stagedPath complete in itself, and so again afterwards; on failure to be thrown away
 * @throws SCHEMA_TOO_NEW, MIGRATION_FAILED, VERIFY_FAILED; INVALID_PARAMS for an unknown version; CONFIG_INVALID for
 *   steps that are none
 */
export async function migrateStaged(
  context: OperationContext,
  source: Pick<SourceSettings, 'id' | 'migrations'>,
  logicalPath: string,
  stagedPath: string,
  { purpose = 'import', allowNewer = false, migrate = true }: MigrateStagedOptions = {},
): Promise<MigrationOutcome> {
  const nothing = { database: logicalPath, compatibility: null, migration: NOTHING_TO_DO };
  const settings = migrationsOf(source, logicalPath);
  if (settings === null) return nothing;
  const set = await readStepSet(settings.directory);
  const compatibility = compatibilityOf(logicalPath, versionOfCopy(stagedPath, settings, set), set);
  const objection = objectionTo(compatibility, { allowNewer, migrate });
  // A restore has told before it extracted anything.
  if (objection !== null && purpose === 'import') context.activity.warn(objection);
  if (!compatibility.requiresMigration || !migrate) return { ...nothing, compatibility };
  const steps = pendingSteps(set, compatibility.backupVersion!, newestVersion(set));
  const migration = await runOnCopy(context, stagedPath, {
    sourceId: source.id,
    settings,
    set,
    steps,
    direction: 'up',
    purpose,
  });
  return { database: logicalPath, compatibility, migration };
}

/**
 * What must not come in is refused. Returns what is to be told of one that comes in as it is; null where there is nothing.
 * @throws SCHEMA_TOO_NEW; INVALID_PARAMS for an unknown version
 */
export function objectionTo(
  compatibility: Compatibility,
  { allowNewer, migrate }: { readonly allowNewer: boolean; readonly migrate: boolean },
): string | null {
  const { compatible, backupVersion, requiresMigration, message } = compatibility;
  if (compatible) return requiresMigration && !migrate ? `${message}, which are not run` : null;
  const isUnknown = backupVersion === null;
  if (isUnknown ? migrate : !allowNewer) requireCompatible('bring in', compatibility);
  return message;
}

export interface CopyRun {
  readonly sourceId: string;
  readonly settings: MigrationSettings;
  readonly set: StepSet;
  readonly steps: readonly Step[];
  readonly direction: 'up' | 'down';
  readonly purpose: MigrationPurpose;
}

/** Runs steps on a private copy, checks it in full, and leaves one durable file. @throws MIGRATION_FAILED, VERIFY_FAILED */
export async function runOnCopy(
  context: OperationContext,
  path: string,
  run: CopyRun,
): Promise<MigrationResult> {
  const { activity, clock, settings, jobId } = context;
  const history = await MigrationHistory.open(settings.stateDirectory, (message) =>
    activity.warn(message),
  );
  try {
    const database = new Database(path, { fileMustExist: true });
    let migration: MigrationResult;
    try {
      database.pragma('trusted_schema = OFF');
      // The copy is thrown away with the process; it is made durable as a whole, at the end.
      database.pragma('synchronous = OFF');
      migration = await runSteps(database, { ...run, history, jobId }, clock, activity);
    } finally {
      database.close();
    }
    activity.progress({ phase: 'check', currentFile: run.settings.database });
    await finishCopy(path, run.settings.database);
    return migration;
  } catch (error) {
    history.settle(jobId, run.settings.database, false);
    throw error;
  } finally {
    history.close();
  }
}

async function finishCopy(path: string, logicalPath: string): Promise<void> {
  const { ok, messages, outcome } = checkDatabase(path, 'full');
  for (const suffix of SIDECAR_SUFFIXES) await removeDurably(`${path}${suffix}`);
  if (!ok && !isConstraintOnly(messages)) {
    throw cannot('VERIFY_FAILED', 'migrate', logicalPath, messages[0] ?? outcome, {
      hint: 'The steps leave a damaged database: nothing was replaced.',
      details: { messages: messages.slice(0, 20) },
    });
  }
  const handle = await open(path, 'r+');
  try {
    await syncFile(handle, path);
  } finally {
    await handle.close();
  }
}

/** Writes down whether the copies that a job migrated were put in place. What fails here is only told. */
export async function settleMigrations(
  { settings, activity, jobId }: OperationContext,
  installed: boolean,
): Promise<void> {
  try {
    const history = await MigrationHistory.openExisting(settings.stateDirectory, (message) =>
      activity.warn(message),
    );
    history?.settle(jobId, null, installed);
    history?.close();
  } catch (error) {
    activity.warn(`The history of migrations could not be written: ${messageOf(error)}`);
  }
}

/** After a job, or all of them, were cut short: their steps are over, and what they ran on is gone. */
export async function endInterruptedMigrations(
  { settings, activity, clock }: OperationContext,
  jobId: string | null,
): Promise<void> {
  const warn = (message: string): void => activity.warn(message);
  const history = await MigrationHistory.openExisting(settings.stateDirectory, warn);
  history?.interrupt(jobId, clock.nowMs());
  history?.close();
}
