import { constants, existsSync, readlinkSync, realpathSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { cannot, systemCode } from '../kernel/errors.ts';

/**
 * Where an open file really lies. O_NOFOLLOW looks at the last name of a path alone: a directory on the way that is
 * exchanged for a symlink at the right moment leads elsewhere, and Node has no openat().
 */

/** Opens a directory, never through a symlink of that name. */
export const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

const DESCRIPTORS = '/proc/self/fd';
const tellsPlaces = existsSync(DESCRIPTORS);

/** A path to an open directory itself, whatever its name leads to by now; `path` where the system has none. */
export function pathThrough(descriptor: number, path: string): string {
  return tellsPlaces ? `${DESCRIPTORS}/${descriptor}` : path;
}

/** True when the descriptor is of `path` itself. `path` is real: none of its components is a symlink. */
export function isOpenedAt(descriptor: number, path: string): boolean {
  return placeOf(descriptor, path) === path;
}

/** True when the file lies, or lay until it was removed, in this very directory; it may have another name by now. */
export function isOpenedIn(descriptor: number, directory: string, path: string): boolean {
  return dirname(placeOf(descriptor, path)) === directory;
}

/** Without /proc the best there is: a moment remains in which it can be wrong. */
function placeOf(descriptor: number, path: string): string {
  return tellsPlaces ? readlinkSync(`${DESCRIPTORS}/${descriptor}`) : realpathSync(path);
}

/**
 * Hands `work` a path to the same name that stays in its own directory, whatever is done to the way there meanwhile.
 * @throws PATH_UNSAFE when a directory on the way is a symlink by now; `ENOENT` when it is gone
 */
export async function inOwnDirectory<Result>(
  path: string,
  work: (steadyPath: string) => Promise<Result>,
): Promise<Result> {
  const directory = dirname(path);
  return withDirectory(directory, (handle) =>
    work(join(pathThrough(handle.fd, directory), basename(path))),
  );
}

/** Hands `work` the directory itself. @throws as `inOwnDirectory` */
export async function withDirectory<Result>(
  directory: string,
  work: (handle: FileHandle) => Promise<Result>,
): Promise<Result> {
  const handle = await open(directory, DIRECTORY_FLAGS).catch((error: unknown) => {
    const code = systemCode(error);
    throw code === 'ELOOP' || code === 'ENOTDIR' ? ledElsewhere(directory) : error;
  });
  try {
    if (!isOpenedAt(handle.fd, directory)) throw ledElsewhere(directory);
    return await work(handle);
  } finally {
    await handle.close();
  }
}

function ledElsewhere(directory: string): Error {
  return cannot('PATH_UNSAFE', 'work in', directory, 'its path leads elsewhere by now', {
    hint: 'A directory on the way was exchanged for a symlink. Nothing was done there; see who can write to it.',
  });
}
