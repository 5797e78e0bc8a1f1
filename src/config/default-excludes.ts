/**
 * What applications make anew by themselves, at the top of data and extra roots alone: a folder of these names
 * further down, or one of models or backups anywhere, may well be somebody's work. The folders themselves are
 * kept, empty, since an application may not start without them.
 */
export const DEFAULT_EXCLUDES: readonly string[] = [
  '{data,extra/*}/cache/**/*',
  '{data,extra/*}/.cache/**/*',
  '{data,extra/*}/log/**/*',
  '{data,extra/*}/logs/**/*',
  '{data,extra/*}/tmp/**/*',
];

/** All patterns of what is left out. */
export function excludesOf({
  defaultExcludes,
  exclude,
}: {
  readonly defaultExcludes: boolean;
  readonly exclude: readonly string[];
}): readonly string[] {
  return defaultExcludes ? [...DEFAULT_EXCLUDES, ...exclude] : exclude;
}
