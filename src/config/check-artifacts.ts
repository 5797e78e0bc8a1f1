import { createPublicKey } from 'node:crypto';
import type { Configuration, SourceConfiguration } from './options.ts';
import { isInside } from './own-places.ts';
import { rootPrefix } from './root-paths.ts';
import type { SourceSettings } from './settings.ts';
import type { ProblemList } from './validate-configuration.ts';

/** What the schema cannot say about artifacts. */

type Path = readonly (string | number)[];

const exactlyOne = (left: unknown, right: unknown): boolean => (left === null) !== (right === null);

function isEd25519(pem: string): boolean {
  try {
    return createPublicKey(pem).asymmetricKeyType === 'ed25519';
  } catch {
    return false;
  }
}

/** Of the top level. */
export function checkArtifacts(
  { artifacts }: Pick<Configuration, 'artifacts'>,
  repositoryDirectory: string,
  list: ProblemList,
): void {
  const { store, signWith, verifyWith } = artifacts;
  if (store.path !== null && isInside(store.path, repositoryDirectory)) {
    list.add(['artifacts', 'store', 'path'], 'it lies inside the repository');
  }
  if (signWith.hmacSecret !== null && signWith.privateKeyPath !== null) {
    list.add(['artifacts', 'signWith'], 'expected either "hmacSecret" or "privateKeyPath"');
  }
  for (const [index, { hmacSecret, publicKey }] of verifyWith.entries()) {
    const at = ['artifacts', 'verifyWith', index];
    if (!exactlyOne(hmacSecret, publicKey)) {
      list.add(at, 'expected either "hmacSecret" or "publicKey"');
    } else if (publicKey !== null && !isEd25519(publicKey)) {
      list.add([...at, 'publicKey'], 'expected an Ed25519 public key in PEM form');
    }
  }
}

/** Of one source. */
export function checkSourceArtifacts(
  { artifacts, roots }: SourceConfiguration,
  path: Path,
  list: ProblemList,
): void {
  const taken = new Set<string>();
  for (const [index, artifact] of artifacts.entries()) {
    const at = [...path, 'artifacts', index];
    const { database, bootstrapRef, bootstrapPath } = artifact;
    if (taken.has(database)) list.add([...at, 'database'], `a second artifact of "${database}"`);
    taken.add(database);
    if (!roots.some((root) => database.startsWith(`${rootPrefix(root)}/`))) {
      list.add([...at, 'database'], 'it lies in no root; expected a path such as data/app.db');
    }
    if (bootstrapRef !== null && bootstrapPath !== null) {
      list.add(at, 'expected either "bootstrapRef" or "bootstrapPath"');
    }
    for (const axis of ['model', 'schema'] as const) {
      const isMin = artifact[`${axis}Rule`] === 'min';
      const [expected, min] = [artifact[`${axis}Version`], artifact[`${axis}VersionMin`]];
      if (min !== null && (!isMin || expected === null)) {
        list.add(
          [...at, `${axis}VersionMin`],
          `it needs "${axis}Rule: min" and "${axis}Version" as well`,
        );
      }
    }
  }
}

/** One name cannot stand for the newest artifact of two databases. */
export function checkAliases(sources: readonly SourceSettings[], list: ProblemList): void {
  const owners = new Map<string, string>();
  for (const [index, { name, artifacts }] of sources.entries()) {
    for (const [position, { alias, database }] of artifacts.entries()) {
      if (alias === null) continue;
      const owner = owners.get(alias);
      if (owner !== undefined) {
        list.add(
          ['sources', index, 'artifacts', position, 'alias'],
          `"${alias}" already stands for ${owner}; give this one its own, or null`,
        );
      }
      owners.set(alias, `${database} of ${name}`);
    }
  }
}
