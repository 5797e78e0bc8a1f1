import type Database from 'better-sqlite3';
import type { MigrationSettings } from '../config/settings.ts';
import { messageOf } from '../kernel/errors.ts';
import { compareVersions, isSemanticVersion, NO_VERSION } from './semantic-version.ts';
import type { StepSet } from './step.ts';

/** The version of a database's schema, as far as its steps know it. */
export type SchemaVersion =
  /** `0.0.0`: no step has run. */
  | { readonly state: 'known'; readonly version: string }
  /** Past the newest step; `version` as it was found. */
  | { readonly state: 'newer'; readonly version: string }
  | { readonly state: 'unknown'; readonly reason: string };

const SHOWN_CHARACTERS_MAX = 100;

/** The version that steps lead to. */
export const newestVersion = ({ steps }: StepSet): string => steps.at(-1)?.version ?? NO_VERSION;

/** Reads the version of an open database. Its schema is not trusted: nothing of it runs but what the query names. */
export function readSchemaVersion(
  database: Database.Database,
  settings: MigrationSettings,
  set: StepSet,
): SchemaVersion {
  let found: unknown;
  try {
    found = versionIn(database, settings);
  } catch (error) {
    const none = absentVersion(database, settings);
    if (none.state === 'known') return none;
    return { state: 'unknown', reason: `its version cannot be read: ${messageOf(error)}` };
  }
  if (typeof found === 'bigint') found = Number(found);
  if (found === undefined || found === null || found === '' || found === 0) {
    return absentVersion(database, settings);
  }
  return interpretVersion(found, set);
}

function versionIn(database: Database.Database, { versionQuery }: MigrationSettings): unknown {
  if (versionQuery === null) return database.pragma('user_version', { simple: true });
  const statement = database.prepare<[], unknown[]>(versionQuery);
  if (!statement.reader || !statement.readonly) throw new Error('"versionQuery" is no query');
  return statement.raw().get()?.[0];
}

/** An empty database is before every step; one that holds something may be anything. */
function absentVersion(
  database: Database.Database,
  { assumeVersion }: MigrationSettings,
): SchemaVersion {
  const tables = database
    .prepare(
      "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^'",
    )
    .pluck()
    .get() as number;
  if (tables === 0) return { state: 'known', version: NO_VERSION };
  if (assumeVersion !== null) return { state: 'known', version: assumeVersion };
  return { state: 'unknown', reason: 'it holds tables and says no version' };
}

/** What a version that was found stands for: a semantic version as it is, a number by the step that leads to it. */
export function interpretVersion(found: unknown, { steps }: Pick<StepSet, 'steps'>): SchemaVersion {
  const newest = steps.at(-1);
  if (typeof found === 'string' && isSemanticVersion(found)) {
    const isNewer = compareVersions(found, newest?.version ?? NO_VERSION) > 0;
    return { state: isNewer ? 'newer' : 'known', version: found };
  }
  const number = typeof found === 'string' && /^\d{1,15}$/.test(found) ? Number(found) : found;
  if (typeof number !== 'number' || !Number.isInteger(number)) {
    const shown = String(found).slice(0, SHOWN_CHARACTERS_MAX);
    return { state: 'unknown', reason: `"${shown}" is neither a semantic version nor a number` };
  }
  const step = steps.find((each) => each.number === number);
  if (step !== undefined) return { state: 'known', version: step.version };
  if (number > (newest?.number ?? 0)) return { state: 'newer', version: String(number) };
  return { state: 'unknown', reason: `no step leads to the number ${number}` };
}
