import picomatch from 'picomatch';
import { excludesOf } from '../config/default-excludes.ts';
import { rootPrefix } from '../config/root-paths.ts';
import type { SourceSettings } from '../config/settings.ts';

function isAtOrBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/**
 * Which paths below the roots of a source need no watching: our own, and what its patterns exclude, so that no
 * watch is spent on a cache. It is only about effort: what belongs to a snapshot is decided by capture/.
 */
export function ignoredPaths(
  source: SourceSettings,
  forbiddenPaths: readonly string[],
): (path: string) => boolean {
  const patterns = [...excludesOf(source)];
  const isExcluded = patterns.length === 0 ? () => false : picomatch(patterns, { dot: true });
  // A root inside another has its own logical paths: the innermost decides.
  const roots = [...source.roots].sort((left, right) => right.path.length - left.path.length);
  return (path) => {
    if (forbiddenPaths.some((own) => isAtOrBelow(path, own))) return true;
    const root = roots.find((each) => isAtOrBelow(path, each.path));
    if (root === undefined || path === root.path) return false;
    return isExcluded(rootPrefix(root) + path.slice(root.path.length));
  };
}
