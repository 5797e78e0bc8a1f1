import { join } from 'node:path';
import { identify } from '../../files/entry-identity.ts';
import { requireFreeSpace } from '../../files/free-space.ts';
import { cannot, toErrorDocument } from '../../kernel/errors.ts';
import { BusyGuard } from '../../restore/busy-guard.ts';
import type { FamilyStat } from '../../sqlite/family.ts';
import { type AssertionOutcome, evaluateAssertion } from '../assertions.ts';
import type { OperationContext } from '../operation.ts';
import { replaceDatabase } from '../restore/replace-database.ts';
import { StoppedService } from '../restore/service.ts';
import { copyLiveDatabase } from '../restore/staged-database.ts';
import { type LiveMigration, type LiveSubject, nothingToDo, planOf } from './live-migration.ts';
import { runOnCopy, settleMigrations } from './migrate-staged.ts';
import type { MigratedDatabase } from './migrated-databases.ts';
import { versionOfCopy } from './schema-of-database.ts';

export const NOTHING_REPLACED = {
  quarantineId: null,
  preMigrateSnapshotId: null,
  assertions: [],
} as const;

/** The application writes nothing meanwhile: it is stopped where the source says how, and otherwise must be. */
export async function runStopped(
  context: OperationContext,
  request: LiveMigration,
  subject: LiveSubject,
): Promise<Record<string, unknown>> {
  const { source, path } = subject;
  if (source.service === null) await new BusyGuard([path]).requireFree();
  const stopped = await StoppedService.stop(context, source);
  try {
    return await runAndReplace(context, request, subject, stopped);
  } finally {
    await stopped.startAgain();
  }
}

async function runAndReplace(
  context: OperationContext,
  request: LiveMigration,
  { source, settings, set, path }: LiveSubject,
  stopped: StoppedService,
): Promise<Record<string, unknown>> {
  const { database } = settings;
  const { direction, checkpoint } = request;
  const { copy, expected } = await copyLive(context, path);
  // By what was copied: the application may have written until it was stopped.
  const { from, to, steps } = planOf(set, request, versionOfCopy(copy, settings, set), database);
  if (steps.length === 0)
    return { ...nothingToDo({ from, to, steps }, request), ...NOTHING_REPLACED };
  const run = { sourceId: source.id, settings, set, steps, direction, purpose: 'migrate' } as const;
  const migration = await runOnCopy(context, copy, run);
  try {
    requireAssertions(context, { source, settings }, copy);
    const replaced = await replaceDatabase(context, {
      // It is stopped already, and started once the new state is in place.
      source: { ...source, service: null },
      database,
      stagedPath: copy,
      origin: 'pre-migrate',
      note: `migration from ${from} to ${to}`,
      checkpoint,
      check: 'quick',
      expected,
      afterSwap: async () => {
        await stopped.afterRestore();
        await stopped.start();
      },
    });
    await settleMigrations(context, true);
    const { quarantineId, preRestoreSnapshotId: preMigrateSnapshotId, assertions } = replaced;
    return { from, to, ...migration, quarantineId, preMigrateSnapshotId, assertions };
  } catch (error) {
    // Then it may be in place after all: the next run looks.
    if (toErrorDocument(error).code !== 'RECOVERY_FAILED') await settleMigrations(context, false);
    throw error;
  }
}

async function copyLive(
  context: OperationContext,
  path: string,
): Promise<{ copy: string; expected: FamilyStat }> {
  const copy = join(context.scratchDirectory, 'migrated.db');
  const bytes = (await identify(path))?.bytes ?? 0;
  await requireFreeSpace(context.scratchDirectory, bytes, 'copy a database to');
  return { copy, expected: await copyLiveDatabase(path, copy, context) };
}

/** Before anything is replaced; they are evaluated again when it is. @throws VERIFY_FAILED */
function requireAssertions(
  { activity }: OperationContext,
  { source, settings: { database } }: MigratedDatabase,
  copy: string,
): void {
  activity.progress({ phase: 'evaluate assertions' });
  const outcomes: AssertionOutcome[] = source.assertions
    .filter((assertion) => assertion.database === database)
    .map((assertion) => evaluateAssertion(assertion, copy, true));
  const failed = outcomes.find(({ ok }) => !ok);
  if (failed === undefined) return;
  const state = `assertion "${failed.name}" does not hold on what the steps made: ${failed.message}`;
  throw cannot('VERIFY_FAILED', 'migrate', database, state, {
    hint: 'Nothing was replaced.',
    details: { assertions: outcomes },
  });
}
