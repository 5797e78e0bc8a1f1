import {
  compatibilityOf,
  pendingSteps,
  requireCompatible,
  requireTarget,
  stepsToUndo,
} from '../../migrations/plan-steps.ts';
import { type MigrationResult, NOTHING_TO_DO } from '../../migrations/run-steps.ts';
import { newestVersion, type SchemaVersion } from '../../migrations/schema-version.ts';
import { NO_VERSION } from '../../migrations/semantic-version.ts';
import type { Step, StepSet } from '../../migrations/step.ts';
import type { MigratedDatabase, MigrationChoice } from './migrated-databases.ts';

/** What is asked of a database that stands in a source, and which steps that comes to. */

export interface LiveMigration extends MigrationChoice {
  readonly direction: 'up' | 'down';
  /** Absent, up: the newest version. */
  readonly target?: string | undefined;
  readonly dryRun: boolean;
  readonly checkpoint: boolean;
  /** Also where a step changed after it had run. */
  readonly force: boolean;
}

export interface LivePlan {
  readonly from: string;
  readonly to: string;
  readonly steps: readonly Step[];
}

/** @throws INVALID_PARAMS, SCHEMA_TOO_NEW */
export function planOf(
  set: StepSet,
  { direction, target }: LiveMigration,
  found: SchemaVersion,
  database: string,
): LivePlan {
  const compatibility = compatibilityOf(database, found, set);
  requireCompatible('migrate', compatibility);
  const from = compatibility.backupVersion!;
  const to = target ?? newestVersion(set);
  requireTarget(set, to);
  const steps = direction === 'up' ? pendingSteps(set, from, to) : stepsToUndo(set, from, to);
  return { from, to: steps.length === 0 ? from : to, steps };
}

export const nothingToDo = ({ from }: LivePlan, { direction }: LiveMigration): MigrationResult => {
  const what = direction === 'up' ? 'no migrations to apply' : 'no migrations to undo';
  const where = from === NO_VERSION ? 'no step has run' : `the database is at ${from}`;
  return { ...NOTHING_TO_DO, message: `nothing to do: ${what}, ${where}` };
};

/** The database that is meant, where it stands. */
export interface LiveSubject extends MigratedDatabase {
  readonly set: StepSet;
  /** Absolute. */
  readonly path: string;
}
