import { cannot } from '../kernel/errors.ts';
import type { SchemaVersion } from './schema-version.ts';
import { newestVersion } from './schema-version.ts';
import { compareVersions, isSemanticVersion, NO_VERSION } from './semantic-version.ts';
import type { Step, StepSet } from './step.ts';

/** Which steps lead from one version to another. */

/** The steps still to be run: past `current`, up to `target`. @throws INVALID_PARAMS for what is no version */
export function pendingSteps({ steps }: StepSet, current: string, target: string): Step[] {
  requireVersions(current, target);
  return steps.filter(
    ({ version }) => compareVersions(version, current) > 0 && compareVersions(version, target) <= 0,
  );
}

/**
 * The steps to be undone, newest first: past `target`, up to `current`.
 * @throws INVALID_PARAMS for what is no version, and where any of them cannot be undone
 */
export function stepsToUndo({ steps }: StepSet, current: string, target: string): Step[] {
  requireVersions(current, target);
  const undone = steps
    .filter(
      ({ version }) =>
        compareVersions(version, target) > 0 && compareVersions(version, current) <= 0,
    )
    .reverse();
  const lasting = undone.filter(({ down }) => down === null);
  if (lasting.length > 0) {
    const names = lasting.slice(0, 10).map(({ version, name }) => `${version}_${name}`);
    throw cannot(
      'INVALID_PARAMS',
      'migrate down to',
      target,
      `${names.join(', ')} cannot be undone`,
      {
        hint: 'Nothing was changed. Write a .down.sql for each of them, or restore an older snapshot.',
        details: { withoutDown: names },
      },
    );
  }
  return undone;
}

/** @throws INVALID_PARAMS where no step leads to it */
export function requireTarget({ steps }: StepSet, target: string): void {
  requireVersions(target);
  if (target === NO_VERSION || steps.some(({ version }) => version === target)) return;
  throw cannot('INVALID_PARAMS', 'migrate to', target, 'no step has this version', {
    hint: `The newest one is ${steps.at(-1)?.version ?? 'none'}; see: holdfast migrate status.`,
  });
}

function requireVersions(...versions: readonly string[]): void {
  for (const version of versions) {
    if (isSemanticVersion(version)) continue;
    throw cannot('INVALID_PARAMS', 'migrate to', version, 'it is no semantic version', {
      hint: 'A version is written as 1.4.0.',
    });
  }
}

/** How a database of a snapshot stands to the steps of today. */
export interface Compatibility {
  readonly database: string;
  /** `0.0.0`: before every step; null: unknown. */
  readonly backupVersion: string | null;
  /** Of the newest step. */
  readonly currentVersion: string;
  readonly compatible: boolean;
  readonly requiresMigration: boolean;
  readonly migrationsNeeded: number;
  readonly migrationVersions: readonly string[];
  readonly message: string;
}

/** Compares by the version of the backup itself, whatever stands on the host now. */
export function compatibilityOf(
  database: string,
  found: SchemaVersion,
  set: StepSet,
): Compatibility {
  const currentVersion = newestVersion(set);
  const about = { database, currentVersion };
  const none = { requiresMigration: false, migrationsNeeded: 0, migrationVersions: [] };
  if (found.state === 'unknown') {
    const message = `the version of ${database} is unknown: ${found.reason}`;
    return { ...about, ...none, backupVersion: null, compatible: false, message };
  }
  const { version: backupVersion } = found;
  if (found.state === 'newer') {
    const message = `${database} is at ${backupVersion}, newer than ${currentVersion}`;
    return { ...about, ...none, backupVersion, compatible: false, message };
  }
  const migrationVersions = pendingSteps(set, backupVersion, currentVersion).map(
    (step) => step.version,
  );
  const migrationsNeeded = migrationVersions.length;
  const requiresMigration = migrationsNeeded > 0;
  const message = requiresMigration
    ? `${database} is at ${backupVersion}: ${migrationsNeeded} steps to ${currentVersion}`
    : `${database} is at ${currentVersion}`;
  return {
    ...about,
    backupVersion,
    compatible: true,
    requiresMigration,
    migrationsNeeded,
    migrationVersions,
    message,
  };
}

/** @throws SCHEMA_TOO_NEW; INVALID_PARAMS where the version is unknown */
export function requireCompatible(verb: string, compatibility: Compatibility): void {
  const { compatible, backupVersion, currentVersion, database, message } = compatibility;
  if (compatible) return;
  const details = { compatibility };
  if (backupVersion === null) {
    throw cannot('INVALID_PARAMS', verb, database, message, {
      hint: 'Set `versionQuery` or `assumeVersion` in the migrations of the source, or leave migrations out.',
      details,
    });
  }
  throw cannot('SCHEMA_TOO_NEW', verb, database, message, {
    hint: `No step beyond ${currentVersion} is known here: bring the application and its steps up to date, or use force.`,
    details,
  });
}
