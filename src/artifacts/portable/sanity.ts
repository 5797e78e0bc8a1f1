import type { ArtifactSettings } from '../../config/artifact-settings.ts';
import { cannot } from '../../kernel/errors.ts';
import { checkDatabase } from '../../sqlite/database-check.ts';
import { isConstraintOnly } from '../../sqlite/integrity-messages.ts';
import type { DatabaseFacts } from './database-facts.ts';
import type { ArtifactManifest } from './manifest.ts';

/** What must be true of a database that was made from an artifact, before it takes anybody's place. */

const OBJECTIONS_MAX = 20;

/** What the database is beside what its manifest says. */
export function objectionsToContent(
  manifest: Pick<ArtifactManifest, 'tables' | 'foreignKeyViolations' | 'pragmas'>,
  facts: DatabaseFacts,
): string[] {
  const found = new Map(facts.tables.map(({ name, rows }) => [name, rows]));
  const objections = manifest.tables.flatMap(({ name, rows }) => {
    const has = found.get(name);
    found.delete(name);
    if (has === rows) return [];
    return [has === undefined ? `"${name}" is missing` : `"${name}" has ${has} rows, not ${rows}`];
  });
  for (const name of found.keys()) objections.push(`"${name}" is not in the manifest`);
  for (const name of ['userVersion', 'applicationId'] as const) {
    const [has, says] = [facts.pragmas[name], manifest.pragmas[name]];
    if (has !== says) objections.push(`${name} is ${has}, not ${says}`);
  }
  return objections;
}

type Expectations = Pick<ArtifactSettings, 'requiredTables' | 'minRows'>;

function objectionsToTables(
  { tables }: DatabaseFacts,
  { requiredTables, minRows }: Expectations,
): string[] {
  const rows = new Map(tables.map((table) => [table.name, table.rows]));
  const missing = requiredTables.filter((name) => !rows.has(name));
  const few = Object.entries(minRows).filter(([name, min]) => (rows.get(name) ?? 0) < min);
  return [
    ...missing.map((name) => `the table "${name}" is required, and missing`),
    ...few.map(([name, min]) => `"${name}" has ${rows.get(name) ?? 0} rows, fewer than ${min}`),
  ];
}

/** Of the file itself. */
export function objectionsToFile(path: string): string[] {
  const { ok, messages } = checkDatabase(path, 'full');
  if (ok || isConstraintOnly(messages)) return [];
  return messages.map((message) => `integrity check: ${message}`);
}

/** Of what the application asks for, as it is after its migrations. */
export function objectionsToUse(
  facts: DatabaseFacts,
  expectations: Expectations,
  violationsMax: number,
): string[] {
  const { foreignKeyViolations: violations } = facts;
  const broken =
    violations > violationsMax
      ? [`foreign key check: ${violations} rows refer to nothing, and ${violationsMax} did before`]
      : [];
  return [...broken, ...objectionsToTables(facts, expectations)];
}

/** @throws SANITY_FAILED with all objections */
export function requireSane(artifact: string, objections: readonly string[]): void {
  if (objections.length === 0) return;
  throw cannot('SANITY_FAILED', 'accept artifact', artifact, objections[0]!, {
    hint: 'Nothing was changed. The details list all that is wrong with it.',
    details: { objections: objections.slice(0, OBJECTIONS_MAX), count: objections.length },
  });
}
