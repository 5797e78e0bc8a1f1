import { relative, sep } from 'node:path';
import { excludesOf } from '../config/default-excludes.ts';
import { isInside } from '../config/own-places.ts';
import { rootPrefix } from '../config/root-paths.ts';
import type { SourceSettings } from '../config/settings.ts';
import type { SelectionRules } from './select-files.ts';

/** What a source says about its files: the same for captures, fingerprints, reports and warnings. */
export function rulesOf(source: SourceSettings): Pick<SelectionRules, 'exclude' | 'include'> {
  return { exclude: excludesOf(source), include: includesOf(source) };
}

/**
 * The patterns of the source, and those of single roots, which speak of their own files alone. Where any are given,
 * what its plugins collect inside its roots is named as well, or it would be collected in vain.
 */
function includesOf(source: SourceSettings): readonly string[] {
  const { include, roots } = source;
  const patterned = roots.filter((root) => (root.include ?? []).length > 0);
  const whole = roots.filter((root) => !patterned.includes(root)).map(rootPrefix);
  const own = patterned.flatMap((root) =>
    (root.include ?? []).map((pattern) => `${rootPrefix(root)}/${pattern}`),
  );
  const named = include.length > 0 || patterned.length === 0 ? include : whole;
  const patterns = [...named, ...own];
  return patterns.length === 0 ? patterns : [...new Set([...patterns, ...collectedBy(source)])];
}

/** What plugins collect inside of roots, as logical paths. */
function collectedBy({ roots, plugins }: SourceSettings): string[] {
  return plugins.flatMap(({ directory, include }) => {
    const around = roots
      .filter((root) => isInside(directory, root.path))
      .sort((left, right) => right.path.length - left.path.length)[0];
    if (around === undefined) return [];
    const below = relative(around.path, directory).split(sep).join('/');
    const base = below === '' ? rootPrefix(around) : `${rootPrefix(around)}/${literally(below)}`;
    return include.map((pattern) => `${base}/${pattern}`);
  });
}

/** A path as a pattern that means exactly it. */
function literally(path: string): string {
  return path.replaceAll(/[\\*?[\]{}()!+@|^$]/g, '\\$&');
}
