import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { systemCode } from '../kernel/errors.ts';

/** True if `path` is `directory` or below it. Both absolute and normalised. */
export function isInside(path: string, directory: string): boolean {
  return (
    path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep)
  );
}

/**
 * The path with symlinks resolved as far as it exists; what does not exist (or may not be looked at) is kept as
 * it is written. So two spellings of one place compare equal even before it was created.
 */
export async function realPathOf(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch (error) {
    const parent = dirname(absolute);
    const isKnown = ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'].includes(systemCode(error) ?? '');
    if (!isKnown || parent === absolute) throw error;
    return join(await realPathOf(parent), basename(absolute));
  }
}
