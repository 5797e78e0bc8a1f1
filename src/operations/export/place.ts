import { constants } from 'node:fs';
import { access, link, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { realPathOf } from '../../config/own-places.ts';
import type { Settings } from '../../config/settings.ts';
import { removeDurably, renameDurably, syncDirectory } from '../../files/durable.ts';
import { durableStep } from '../../files/durable-steps.ts';
import { identify } from '../../files/entry-identity.ts';
import { isInside } from '../../files/safe-path.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { BusyGuard } from '../../restore/busy-guard.ts';
import { startsAsDatabase } from '../../sqlite/discover.ts';
import { SIDECAR_SUFFIXES } from '../../sqlite/family.ts';
import { ownPaths } from '../operation.ts';

/** Where an export or an import may put a new file, and how it comes to stand there. */

export interface PlaceRequest {
  /** Absolute. */
  readonly path: string;
  readonly overwrite: boolean;
  /** A SQLite database: a log of another one beside it would be taken for its own. */
  readonly isDatabase: boolean;
}

/** Places that nothing is exported into: it would be captured, or taken for Holdfast's own. */
export const closedPlaces = (settings: Settings): string[] => [
  ...settings.sources.flatMap(({ roots }) => roots.map(({ path }) => path)),
  ...ownPaths(settings),
];

/**
 * The real path of a place that is free, or may be written over.
 * @throws PATH_UNSAFE inside a source or Holdfast's own files, PATH_NOT_FOUND, NOT_A_DIRECTORY, TARGET_NOT_EMPTY, TARGET_BUSY
 */
export async function requirePlace(
  settings: Settings,
  { path, overwrite, isDatabase }: PlaceRequest,
): Promise<string> {
  const place = join(await realPathOf(dirname(path)), basename(path));
  const closed = await Promise.all(closedPlaces(settings).map((each) => realPathOf(each)));
  const holder = closed.find((each) => isInside(place, each));
  if (holder !== undefined) {
    throw cannot('PATH_UNSAFE', 'write', path, `it lies in "${holder}"`, {
      hint: 'Choose a place outside every source, the repository and the state directory.',
    });
  }
  await requireDirectory(dirname(place));
  const now = await identify(place);
  if (now !== null && (now.kind !== 'file' || !overwrite)) {
    const state = now.kind === 'file' ? 'it exists' : `a ${now.kind} stands there`;
    throw cannot('TARGET_NOT_EMPTY', 'write', path, state, {
      hint: 'Choose another name, or ask for overwrite; only an ordinary file is ever replaced.',
    });
  }
  // Whoever has it open would go on writing to a file that nobody sees any more.
  if (now !== null && startsAsDatabase(place)) await new BusyGuard([place]).requireFree();
  for (const suffix of isDatabase ? SIDECAR_SUFFIXES : []) {
    if ((await identify(`${place}${suffix}`)) === null) continue;
    const state = `"${path}${suffix}" would be taken for a part of it`;
    throw cannot('TARGET_BUSY', 'write', path, state, {
      hint: 'Choose another name: a database that stood there may still be in use.',
    });
  }
  return place;
}

async function requireDirectory(directory: string): Promise<void> {
  const hint = 'Name a file in a directory that exists.';
  try {
    if (!(await stat(directory)).isDirectory()) {
      throw cannot('NOT_A_DIRECTORY', 'write into', directory, 'it is no directory', { hint });
    }
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      const state = 'there is no such directory';
      throw cannot('PATH_NOT_FOUND', 'write into', directory, state, { hint });
    }
    if (code === 'EACCES' || code === 'EROFS') throw refused(directory, code, error);
    throw error;
  }
}

/** Whoever asks may often write where the daemon may not. */
function refused(directory: string, code: string, cause: unknown): Error {
  const state = `the process that does the work may not: ${code}`;
  return cannot('IO_ERROR', 'write into', directory, state, {
    hint: 'Name a place that the user of the daemon may write to; what is exported with --to - you write yourself.',
    cause,
  });
}

/** Gives a finished file its name: whole or not at all. What came to stand there meanwhile is not replaced unasked. */
export async function putInPlace(from: string, to: string, overwrite: boolean): Promise<void> {
  try {
    if (overwrite) return await renameDurably(from, to);
    await durableStep('link', to, () => link(from, to));
    await syncDirectory(dirname(to));
    await removeDurably(from);
  } catch (error) {
    const code = systemCode(error);
    // Where there are no hard links, the little time since it was looked at has to do.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'EOPNOTSUPP') {
      if ((await identify(to)) === null) return renameDurably(from, to);
    } else if (code !== 'EEXIST') throw error;
    throw cannot('TARGET_NOT_EMPTY', 'write', to, 'something came to stand there meanwhile');
  }
}
