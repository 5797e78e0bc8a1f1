import type { Manifest } from '../store/manifests/manifest.ts';

/**
 * Logical paths of the databases that need no check of this depth: capture checked the very image that the snapshot
 * holds, at least as deeply, and a restore hashes every chunk of it.
 */
export function provenDatabases(
  { databases }: Pick<Manifest, 'databases'>,
  depth: 'quick' | 'full',
): ReadonlySet<string> {
  const proven = databases.filter(
    ({ check }) => check.ok && (check.level === 'full' || depth === 'quick'),
  );
  return new Set(proven.map(({ path }) => path));
}
