import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { cannot, systemCode } from '../kernel/errors.ts';
import { LOGICAL_PATH_BYTES_MAX, PATH_COMPONENT_BYTES_MAX } from '../kernel/limits.ts';

/** Names and paths that come from a snapshot, a request or a person are checked here before the disk sees them. */

// A lone surrogate has no UTF-8 form: it would be written as U+FFFD, a different name.
const LONE_SURROGATE = /\p{Surrogate}/u;
const DRIVE_LETTER = /^[A-Za-z]:/;

function refusal(path: string, state: string): Error {
  return cannot('PATH_UNSAFE', 'use path', path, state, {
    hint: 'Nothing was written. Only plain paths below the target are accepted.',
  });
}

/**
 * One path component: not empty, `.` nor `..`, no separator, no NUL, valid Unicode, at most 255 bytes.
 * A backslash is an ordinary character of POSIX names, and a separator on Windows alone.
 * @throws PATH_UNSAFE
 */
export function checkComponent(name: string): void {
  if (name === '') throw refusal(name, 'a component is empty');
  if (name === '.' || name === '..') throw refusal(name, 'it steps outside its directory');
  if (name.includes('/') || name.includes(sep)) throw refusal(name, 'a name holds a separator');
  if (name.includes('\0')) throw refusal(name, 'it holds a NUL byte');
  if (LONE_SURROGATE.test(name)) throw refusal(name, 'it is not valid Unicode');
  if (sep === '\\' && DRIVE_LETTER.test(name)) throw refusal(name, 'it names a drive');
  if (Buffer.byteLength(name) > PATH_COMPONENT_BYTES_MAX) {
    throw refusal(name, `a component is longer than ${PATH_COMPONENT_BYTES_MAX} bytes`);
  }
}

/**
 * The components of a logical path such as `data/notes/a.txt`.
 * @throws PATH_UNSAFE when it is absolute, too long, or any component is refused
 */
export function checkLogicalPath(path: string): string[] {
  if (isAbsolute(path)) throw refusal(path, 'it is absolute');
  if (Buffer.byteLength(path) > LOGICAL_PATH_BYTES_MAX) {
    throw refusal(path, `it is longer than ${LOGICAL_PATH_BYTES_MAX} bytes`);
  }
  const components = path.split('/');
  for (const component of components) checkComponent(component);
  return components;
}

/** True when `child` is `parent` or lies below it; compares components of normalised absolute paths. */
export function isInside(child: string, parent: string): boolean {
  const step = relative(parent, child);
  return step === '' || (step !== '..' && !step.startsWith(`..${sep}`) && !isAbsolute(step));
}

/** What stands at the end of a path below a root, none of its parents being a symlink. */
export interface PathBelow {
  readonly path: string;
  /** How many leading components exist. */
  readonly existing: number;
}

/**
 * Follows `components` below `root` one by one. The last component may be anything; a parent must be a
 * directory of its own, never a symlink to one.
 * @throws PATH_UNSAFE for a symlinked parent, NOT_A_DIRECTORY for a parent that is a file
 */
export async function resolveBelow(
  root: string,
  components: readonly string[],
): Promise<PathBelow> {
  for (const component of components) checkComponent(component);
  const path = join(root, ...components);
  let level = root;
  for (const [index, component] of components.entries()) {
    level = join(level, component);
    const status = await lstat(level).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return null;
      throw error;
    });
    if (status === null) return { path, existing: index };
    if (index === components.length - 1) break;
    if (status.isSymbolicLink()) throw refusal(path, `"${level}" is a symlink`);
    if (!status.isDirectory()) {
      throw cannot('NOT_A_DIRECTORY', 'use path', path, `"${level}" is not a directory`);
    }
  }
  return { path, existing: components.length };
}

/**
 * The real path of something that may not exist yet: symlinks of its existing part resolved, the rest appended.
 * @throws PATH_UNSAFE when a dangling symlink stands in the way
 */
export async function realpathOfPlanned(path: string): Promise<string> {
  const missing: string[] = [];
  let level = path;
  for (;;) {
    try {
      return join(await realpath(level), ...missing);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
    }
    const dangling = await lstat(level).catch(() => null);
    if (dangling !== null) throw refusal(path, `"${level}" is a symlink to nothing`);
    missing.unshift(basename(level));
    level = dirname(level);
  }
}

/** The nearest directory at or above `path` that exists. */
export async function nearestExisting(path: string): Promise<string> {
  let level = path;
  for (;;) {
    try {
      if ((await lstat(level)).isDirectory()) return level;
    } catch (error) {
      const code = systemCode(error);
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    }
    level = dirname(level);
  }
}
