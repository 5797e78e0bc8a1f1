import { join } from 'node:path';
import type { RootSettings, SourceSettings } from './settings.ts';

/** Where a root's files stand in a snapshot: `data`, `config` or `extra/<name>`. */
export function rootPrefix(root: Pick<RootSettings, 'class' | 'name'>): string {
  return root.class === 'extra' ? `extra/${root.name}` : root.class;
}

/** Where a logical path of a snapshot stands on this host now; null when no root of the source holds it any more. */
export function hostPathOf(
  source: Pick<SourceSettings, 'roots'>,
  logicalPath: string,
): string | null {
  const root = source.roots.find((each) => logicalPath.startsWith(`${rootPrefix(each)}/`));
  if (root === undefined) return null;
  return join(root.path, ...logicalPath.slice(rootPrefix(root).length + 1).split('/'));
}
