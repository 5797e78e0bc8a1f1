import { identify } from '../../files/entry-identity.ts';
import { cannot } from '../../kernel/errors.ts';
import { requireUnchanged } from '../../migrations/changed-steps.ts';
import { MigrationHistory } from '../../migrations/migration-history.ts';
import { NOTHING_TO_DO, requireRunnable } from '../../migrations/run-steps.ts';
import { readStepSet } from '../../migrations/step-set.ts';
import { type OperationContext, ownPaths } from '../operation.ts';
import { databasePlace } from '../restore/replace-database.ts';
import { type LiveMigration, nothingToDo, planOf } from './live-migration.ts';
import { type MigratedDatabase, oneMigratedDatabase } from './migrated-databases.ts';
import { NOTHING_REPLACED, runStopped } from './run-live-migration.ts';
import { versionOfLive } from './schema-of-database.ts';
import { changedHere, stepItem } from './status.ts';

/**
 * Brings a database of a source to another version, or plans it: on a copy, which takes its place once all steps are done.
 * @throws TARGET_BUSY, SCHEMA_TOO_NEW, MIGRATION_FAILED, VERIFY_FAILED, SOURCE_MISSING, INVALID_PARAMS, CONFIG_INVALID
 */
export async function migrateLive(
  context: OperationContext,
  request: LiveMigration,
): Promise<Record<string, unknown>> {
  const subject = oneMigratedDatabase(context.settings, request);
  const { source, settings } = subject;
  const { database } = settings;
  const set = await readStepSet(settings.directory);
  const path = await databasePlace({ source, database }, ownPaths(context.settings));
  if ((await identify(path)) === null) {
    throw cannot('SOURCE_MISSING', 'migrate', database, `there is no "${path}"`, {
      hint: 'Restore it first, or have the application make it.',
    });
  }
  const found = await versionOfLive(path, settings, set, context);
  const plan = planOf(set, request, found, database);
  if (!request.dryRun) await settleEarlier(context, subject, plan.from);
  if (!request.force) {
    requireUnchanged(await changedHere(subject, set, plan.from, context), database);
  }
  const { direction, dryRun } = request;
  const about = { sourceId: source.id, database, direction, dryRun, from: plan.from, to: plan.to };
  const steps = plan.steps.map(stepItem);
  if (plan.steps.length === 0)
    return { ...about, steps, ...nothingToDo(plan, request), ...NOTHING_REPLACED };
  requireRunnable({ steps: plan.steps, direction, settings });
  if (dryRun) {
    const message = `${steps.length} steps would run: ${steps.map(({ version }) => version).join(', ')}`;
    const total = { migrationsTotal: steps.length, message };
    return { ...about, steps, ...NOTHING_TO_DO, ...total, ...NOTHING_REPLACED };
  }
  return { ...about, steps, ...(await runStopped(context, request, { ...subject, set, path })) };
}

/** What an earlier run could not write down any more. */
async function settleEarlier(
  { settings, activity, clock, jobId }: OperationContext,
  { source, settings: { database } }: MigratedDatabase,
  version: string,
): Promise<void> {
  const warn = (message: string): void => activity.warn(message);
  const history = await MigrationHistory.openExisting(settings.stateDirectory, warn);
  history?.settleInterrupted({ sourceId: source.id, database }, version, jobId, clock.nowMs());
  history?.close();
}
