import { join } from 'node:path';
import { type DatabaseFacts, readFacts } from '../../artifacts/portable/database-facts.ts';
import type { ArtifactManifest } from '../../artifacts/portable/manifest.ts';
import {
  objectionsToContent,
  objectionsToFile,
  objectionsToUse,
  requireSane,
} from '../../artifacts/portable/sanity.ts';
import type { ArtifactSettings } from '../../config/artifact-settings.ts';
import type { SourceSettings } from '../../config/settings.ts';
import { evaluateAssertion } from '../assertions.ts';
import { type MigrationOutcome, migrateStaged } from '../migrate/migrate-staged.ts';
import type { OperationContext } from '../operation.ts';
import { markAsRollbackMode } from '../restore/staged-database.ts';
import { buildDatabase } from './payload.ts';

/** From a payload that was verified to a database that may take a place: built, compared, migrated, proven. */

export interface ArtifactImport {
  readonly source: SourceSettings;
  /** Of the database that is to be replaced, or made. */
  readonly settings: ArtifactSettings;
  /** Replaces what is not fresh, after a snapshot of it, and takes in a newer schema. */
  readonly force: boolean;
}

/** A payload of which every gate let pass what its manifest says. */
export interface VerifiedArtifact {
  readonly name: string;
  readonly manifest: ArtifactManifest;
  /** A copy that nobody else has. */
  readonly payloadPath: string;
}

export interface ProvenDatabase {
  readonly path: string;
  readonly migration: MigrationOutcome;
}

/** What the settings ask of a database gives the same answers as when the artifact was made. */
function objectionsToVersions(
  manifest: ArtifactManifest,
  facts: DatabaseFacts,
  settings: ArtifactSettings,
): string[] {
  const asked = {
    modelVersion: settings.modelVersionQuery,
    schemaVersion: settings.schemaVersionQuery,
    migrationVersion: settings.migrationVersionQuery,
    cursor: settings.cursorQuery,
  };
  const names = Object.keys(asked) as (keyof typeof asked)[];
  return names
    .filter((name) => asked[name] !== null && String(facts[name]) !== String(manifest[name]))
    .map((name) => `${name} is ${facts[name]}, not ${manifest[name]}`);
}

/** Whether the file is sound, and is what its manifest says. @throws SANITY_FAILED */
function requireAsDescribed(
  { name, manifest }: VerifiedArtifact,
  built: string,
  settings: ArtifactSettings,
  { activity }: OperationContext,
): DatabaseFacts {
  requireSane(name, objectionsToFile(built));
  const facts = readFacts(built, settings, (message) => activity.warn(message));
  requireSane(name, [
    ...objectionsToContent(manifest, facts),
    ...objectionsToVersions(manifest, facts, settings),
  ]);
  return facts;
}

/** Of the database as it will stand in its place. */
function requireFit(
  name: string,
  { assertions }: SourceSettings,
  settings: ArtifactSettings,
  built: string,
  facts: DatabaseFacts,
  violationsMax: number,
): void {
  const failed = assertions
    .filter(({ database }) => database === settings.database)
    .map((assertion) => evaluateAssertion(assertion, built))
    .filter(({ ok }) => !ok);
  requireSane(name, [
    ...objectionsToUse(facts, settings, violationsMax),
    ...failed.map((outcome) => `assertion "${outcome.name}": ${outcome.message}`),
  ]);
}

/**
 * Builds the database in `directory`. A payload that is a database becomes it: there is no second copy.
 * @throws SANITY_FAILED, SCHEMA_TOO_NEW, MIGRATION_FAILED, and what loading text throws
 */
export async function buildProven(
  context: OperationContext,
  artifact: VerifiedArtifact,
  { source, settings, force: allowNewer }: ArtifactImport,
  directory: string,
): Promise<ProvenDatabase> {
  const { activity } = context;
  const { name, manifest, payloadPath } = artifact;
  const { payloadFormat, foreignKeyViolations } = manifest;
  const { database } = settings;
  activity.progress({ phase: 'build database', currentFile: database });
  const path = payloadFormat === 'sqlite-file' ? payloadPath : join(directory, 'built');
  await buildDatabase(payloadFormat, payloadPath, path, context);
  await markAsRollbackMode(path);
  const described = requireAsDescribed(artifact, path, settings, context);
  activity.progress({ phase: 'migrate', currentFile: database });
  const migration = await migrateStaged(context, source, database, path, { allowNewer });
  const isChanged = migration.migration.migrationsRun > 0;
  if (isChanged) requireSane(name, objectionsToFile(path));
  const facts = isChanged ? readFacts(path, settings, () => {}) : described;
  requireFit(name, source, settings, path, facts, foreignKeyViolations);
  return { path, migration };
}
