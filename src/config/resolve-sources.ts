import { checkAliases, checkSourceArtifacts } from './check-artifacts.ts';
import { slug } from './option-values.ts';
import type { Configuration, SourceConfiguration } from './options.ts';
import { isInside, realPathOf } from './own-places.ts';
import { resolvePlugins, withPluginRoots } from './resolve-plugins.ts';
import { resolveSchedules } from './resolve-schedules.ts';
import { rootPrefix } from './root-paths.ts';
import type { RootSettings, SourceSettings } from './settings.ts';
import type { ProblemList } from './validate-configuration.ts';

/** What the schema cannot say about sources: ids, uniqueness, and where roots may be. */

/** Places that hold no files of an application. */
const NEVER_A_ROOT = ['/proc', '/sys', '/dev'];

export interface OwnDirectories {
  readonly stateDirectory: string;
  readonly repositoryDirectory: string;
}

export async function resolveSources(
  { sources, retention }: Pick<Configuration, 'sources' | 'retention'>,
  own: OwnDirectories,
  list: ProblemList,
): Promise<SourceSettings[]> {
  const resolved: SourceSettings[] = [];
  for (const [index, source] of sources.entries()) {
    const path = ['sources', index];
    const id = source.id ?? slug(source.name);
    if (id === null) {
      list.add([...path, 'name'], 'no identifier can be made of this name; set "id" as well');
    }
    checkAssertions(source, path, list);
    checkKeys(source, path, list);
    checkSourceArtifacts(source, path, list);
    checkMigrations(source, path, list);
    const roots = await resolveRoots(source, own, path, list);
    const plugins = await resolvePlugins(source, roots, path, list);
    resolved.push({
      ...source,
      id: id ?? '',
      roots: withPluginRoots(roots, plugins),
      plugins,
      schedules: resolveSchedules(source.schedules, [...path, 'schedules'], list),
      retention: source.retention === undefined ? retention : source.retention,
    });
  }
  checkReferences(resolved, list);
  checkAliases(resolved, list);
  return resolved;
}

async function resolveRoots(
  source: SourceConfiguration,
  own: OwnDirectories,
  path: readonly (string | number)[],
  list: ProblemList,
): Promise<RootSettings[]> {
  const taken = new Set<string>();
  const roots: RootSettings[] = [];
  for (const [index, root] of source.roots.entries()) {
    const at = [...path, 'roots', index];
    if (root.class === 'extra' && root.name === null) {
      list.add(at, 'an extra root needs a "name"');
    }
    if (root.class !== 'extra' && root.name !== null) {
      list.add([...at, 'name'], 'only an extra root has a name');
    }
    const label = rootPrefix(root);
    if (taken.has(label)) {
      list.add(at, `a second root "${label}": their files would have the same paths in a snapshot`);
    }
    taken.add(label);
    const real = await realPathOf(root.path);
    const refusal = refusalOfRoot(real, own);
    if (refusal !== null) list.add([...at, 'path'], refusal);
    roots.push({ ...root, path: real });
  }
  return roots;
}

/** Why this directory cannot be a root, or null. A root may well hold the repository: it is left out of snapshots. */
function refusalOfRoot(path: string, own: OwnDirectories): string | null {
  if (path === '/') return 'the whole file system cannot be a root';
  if (NEVER_A_ROOT.some((directory) => isInside(path, directory))) {
    return `"${path}" holds no files of an application`;
  }
  if (isInside(path, own.repositoryDirectory)) {
    return `"${path}" is inside the repository "${own.repositoryDirectory}"`;
  }
  if (isInside(path, own.stateDirectory)) {
    return `"${path}" is inside the state directory "${own.stateDirectory}"`;
  }
  return null;
}

function checkAssertions(
  { assertions }: SourceConfiguration,
  path: readonly (string | number)[],
  list: ProblemList,
): void {
  const taken = new Set<string>();
  for (const [index, { name }] of assertions.entries()) {
    if (taken.has(name)) {
      list.add([...path, 'assertions', index, 'name'], `a second assertion "${name}"`);
    }
    taken.add(name);
  }
}

function checkMigrations(
  { migrations }: SourceConfiguration,
  path: readonly (string | number)[],
  list: ProblemList,
): void {
  const taken = new Set<string>();
  for (const [index, { database, versionQuery, versionStatement }] of migrations.entries()) {
    const at = [...path, 'migrations', index];
    if (taken.has(database)) list.add([...at, 'database'], `a second entry for "${database}"`);
    taken.add(database);
    if (versionQuery === null && versionStatement !== null) {
      list.add([...at, 'versionStatement'], 'it needs a "versionQuery" that reads what it writes');
    }
  }
}

function checkKeys(
  { keys }: SourceConfiguration,
  path: readonly (string | number)[],
  list: ProblemList,
): void {
  const taken = new Set<string>();
  for (const [index, { name, path: file, secret }] of keys.entries()) {
    const at = [...path, 'keys', index];
    if (taken.has(name)) list.add([...at, 'name'], `a second key "${name}"`);
    taken.add(name);
    if ((file === null) === (secret === null)) list.add(at, 'expected either "path" or "secret"');
  }
}

/** A source is found by id or by name, so neither may be another source's id or name. */
function checkReferences(sources: readonly SourceSettings[], list: ProblemList): void {
  const owners = new Map<string, number>();
  for (const [index, { id, name }] of sources.entries()) {
    for (const reference of new Set([id, name])) {
      if (reference === '') continue;
      const owner = owners.get(reference);
      if (owner !== undefined) {
        const key = reference === name ? 'name' : 'id';
        list.add(['sources', index, key], `"${reference}" also means sources[${owner}]`);
      }
      owners.set(reference, index);
    }
  }
}
