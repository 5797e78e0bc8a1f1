import type { ArtifactSettings, ArtifactVersion } from '../../config/artifact-settings.ts';
import { cannot } from '../../kernel/errors.ts';
import { refuseAtGate } from './gate-refusal.ts';
import type { ArtifactManifest } from './manifest.ts';

/** Whether what was made by one version of an application fits another. */

const numbersOf = (version: ArtifactVersion): number[] => String(version).split('.').map(Number);

/** Negative where `left` is older; missing numbers are 0. */
export function compareVersions(left: ArtifactVersion, right: ArtifactVersion): number {
  const [lefts, rights] = [numbersOf(left), numbersOf(right)];
  for (let index = 0; index < Math.max(lefts.length, rights.length); index += 1) {
    const difference = (lefts[index] ?? 0) - (rights[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

interface Axis {
  readonly expected: ArtifactVersion | null;
  readonly min: ArtifactVersion | null;
  readonly rule: ArtifactSettings['modelRule'];
}

/** Why this version does not fit, or null. */
export function objectionTo(
  found: ArtifactVersion | null,
  { expected, min, rule }: Axis,
): string | null {
  if (expected === null) return null;
  if (found === null) return `it says none, and ${expected} is expected`;
  const isAbove = compareVersions(found, expected) > 0;
  switch (rule) {
    case 'equal':
      return compareVersions(found, expected) === 0 ? null : `it is ${found}, not ${expected}`;
    case 'same-major':
      return numbersOf(found)[0] === numbersOf(expected)[0]
        ? null
        : `it is ${found}, of another major version than ${expected}`;
    case 'min':
      if (isAbove) return `it is ${found}, newer than ${expected}`;
      return min !== null && compareVersions(found, min) < 0
        ? `it is ${found}, older than ${min}`
        : null;
  }
}

/** The gate `model`. @throws VERIFY_FAILED */
export function requireModel(
  { modelVersion }: Pick<ArtifactManifest, 'modelVersion'>,
  settings: Pick<ArtifactSettings, 'modelVersion' | 'modelVersionMin' | 'modelRule'>,
  artifact: string,
): void {
  const { modelVersion: expected, modelVersionMin: min, modelRule: rule } = settings;
  const objection = objectionTo(modelVersion, { expected, min, rule });
  if (objection === null) return;
  const details = { found: modelVersion, expected };
  throw refuseAtGate('model', artifact, `the version of its data model: ${objection}`, details);
}

/** The gate `schema`. @throws VERIFY_FAILED; SCHEMA_TOO_NEW, unless `force` */
export function requireSchema(
  { schemaVersion }: Pick<ArtifactManifest, 'schemaVersion'>,
  settings: Pick<ArtifactSettings, 'schemaVersion' | 'schemaVersionMin' | 'schemaRule'>,
  artifact: string,
  force: boolean,
): void {
  const { schemaVersion: expected, schemaVersionMin: min, schemaRule: rule } = settings;
  const details = { found: schemaVersion, expected };
  if (expected !== null && schemaVersion !== null && compareVersions(schemaVersion, expected) > 0) {
    if (force) return;
    throw cannot(
      'SCHEMA_TOO_NEW',
      'accept artifact',
      artifact,
      `its schema is ${schemaVersion}, and the application is at ${expected}`,
      {
        hint: 'Update the application first; or force it, where you know that it can read a newer one.',
        details: { gate: 'schema', ...details },
      },
    );
  }
  const objection = objectionTo(schemaVersion, { expected, min, rule });
  if (objection === null) return;
  throw refuseAtGate('schema', artifact, `the version of its schema: ${objection}`, details);
}
