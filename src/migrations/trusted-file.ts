import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cannot, messageOf, systemCode } from '../kernel/errors.ts';

/** What is run must be nobody's to change but root's and our own. */

export interface TrustedFile {
  /** Absolute. */
  readonly file: string;
  /** SHA-256 of its bytes. */
  readonly checksum: string;
  readonly text: string;
}

const FILE_BYTES_MAX = 4 * 1024 * 1024;
const OTHERS_MAY_WRITE = 0o022;
/** What stands in it may be renamed by its owner alone, as in /tmp. */
const STICKY = 0o1000;

interface Ownership {
  readonly uid: number;
  readonly mode: number;
}

function objection({ uid, mode }: Ownership): string | null {
  const own = process.getuid?.() ?? uid;
  if (uid !== 0 && uid !== own) return `it belongs to user ${uid}`;
  return (mode & OTHERS_MAY_WRITE) === 0 ? null : 'others may write it';
}

function requireOwnership(path: string, found: Ownership): void {
  const reason = objection(found);
  if (reason !== null) throw untrusted(path, reason);
}

const untrusted = (path: string, reason: string): Error =>
  cannot('CONFIG_INVALID', 'trust migration', path, reason, {
    hint: 'What stands there is run: it must belong to root or to the user that Holdfast runs as, and only they may write it (chmod go-w).',
  });

/**
 * Its own owner and mode, and that nobody else may put another in its place.
 * @throws CONFIG_INVALID where others may write it; PATH_NOT_FOUND, NOT_A_DIRECTORY
 */
export async function requireTrustedDirectory(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown): never => {
    const missing = systemCode(error) === 'ENOENT';
    throw cannot(
      missing ? 'PATH_NOT_FOUND' : 'IO_ERROR',
      'read migrations',
      path,
      missing ? 'there is no such directory' : messageOf(error),
      { hint: 'See `migrations` of the source, in the configuration.', cause: error },
    );
  });
  if (!found.isDirectory()) {
    throw cannot('NOT_A_DIRECTORY', 'read migrations', path, 'it is no directory', {
      hint: 'Symlinks are not followed: name the directory itself.',
    });
  }
  requireOwnership(path, found);
  for (
    let level = dirname(await realpath(path));
    level !== dirname(level);
    level = dirname(level)
  ) {
    const { mode } = await lstat(level);
    if ((mode & OTHERS_MAY_WRITE) === 0 || (mode & STICKY) !== 0) continue;
    throw untrusted(path, `others may write "${level}"`);
  }
}

/** Reads a plain file of a trusted directory. @throws CONFIG_INVALID, IO_ERROR, LIMIT_EXCEEDED */
export async function readTrusted(directory: string, name: string): Promise<TrustedFile> {
  const file = join(directory, name);
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(file, flags).catch((error: unknown): never => {
    throw cannot('IO_ERROR', 'read migration', name, messageOf(error), { cause: error });
  });
  try {
    return { file, ...(await readWhole(handle, file)) };
  } finally {
    await handle.close();
  }
}

async function readWhole(
  handle: FileHandle,
  file: string,
): Promise<Pick<TrustedFile, 'checksum' | 'text'>> {
  const found = await handle.stat();
  if (!found.isFile()) throw cannot('CONFIG_INVALID', 'read migration', file, 'it is no file');
  requireOwnership(file, found);
  if (found.size > FILE_BYTES_MAX) {
    const state = `it is ${found.size} bytes, and ${FILE_BYTES_MAX} are the most`;
    throw cannot('LIMIT_EXCEEDED', 'read migration', file, state);
  }
  const bytes = await handle.readFile();
  const text = decodeText(bytes, file);
  return { checksum: createHash('sha256').update(bytes).digest('hex'), text };
}

function decodeText(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw cannot('CONFIG_INVALID', 'read migration', file, 'it is no UTF-8 text');
  }
}
