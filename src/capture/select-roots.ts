import type { BigIntStats } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { rootPrefix } from '../config/root-paths.ts';
import type { RootSettings, SourceSettings } from '../config/settings.ts';
import { cannot, messageOf } from '../kernel/errors.ts';
import type { SnapshotType } from '../store/manifests/manifest.ts';
import { isAtOrBelow } from './logical-paths.ts';

/** One root of a source as it stands on the host now. */
export interface SelectedRoot {
  readonly settings: RootSettings;
  /** `data`, `config` or `extra/<name>`. */
  readonly prefix: string;
  /** Real path; as configured where it does not exist. */
  readonly path: string;
  /** Null when it is missing, or no directory that can be read. */
  readonly stat: BigIntStats | null;
  /** Why `stat` is null. */
  readonly problem: string | null;
  /** The prefix of an earlier root that is the same directory. */
  readonly sameAs: string | null;
}

/** Roots that a snapshot of this type holds: `data` takes data and extra roots, `config` config roots alone. */
export function rootsOfType(source: SourceSettings, type: SnapshotType): RootSettings[] {
  return source.roots.filter(
    (root) => type === 'full' || (root.class === 'config') === (type === 'config'),
  );
}

/** Looks at each root; a root that is the same directory as an earlier one refers to it. */
export async function selectRoots(roots: readonly RootSettings[]): Promise<SelectedRoot[]> {
  const selected: SelectedRoot[] = [];
  for (const settings of roots) {
    const root = await lookAt(settings);
    const same = selected.find((other) => root.stat !== null && other.path === root.path);
    selected.push(same === undefined ? root : { ...root, sameAs: same.sameAs ?? same.prefix });
  }
  return selected;
}

async function lookAt(settings: RootSettings): Promise<SelectedRoot> {
  const base = { settings, prefix: rootPrefix(settings), sameAs: null };
  try {
    const path = await realpath(settings.path);
    const stat = await lstat(path, { bigint: true });
    if (stat.isDirectory()) return { ...base, path, stat, problem: null };
    return { ...base, path, stat: null, problem: 'it is not a directory' };
  } catch (error) {
    return { ...base, path: settings.path, stat: null, problem: messageOf(error) };
  }
}

/**
 * @throws SOURCE_MISSING for a required root that is not there, CONFIG_INVALID for a root inside our own files
 */
export function assertRootsUsable(
  roots: readonly SelectedRoot[],
  forbiddenPaths: readonly string[],
): void {
  for (const root of roots) {
    if (root.stat === null && root.settings.required) {
      throw cannot('SOURCE_MISSING', 'capture', root.path, root.problem ?? 'it is missing', {
        hint: 'Mount or create it, or make the root optional in the configuration.',
        details: { prefix: root.prefix, path: root.path },
      });
    }
    const own = forbiddenPaths.find((path) => isAtOrBelow(root.path, path));
    if (own === undefined) continue;
    throw cannot('CONFIG_INVALID', 'capture', root.path, `it is inside "${own}", our own files`, {
      hint: 'Keep the repository and the state directory outside the roots.',
    });
  }
}
