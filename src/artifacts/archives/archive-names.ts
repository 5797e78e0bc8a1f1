import { checkLogicalPath } from '../../files/safe-path.ts';
import { cannot } from '../../kernel/errors.ts';
import { LOGICAL_PATH_BYTES_MAX } from '../../kernel/limits.ts';
import { damaged, unsafe } from './archive-refusal.ts';

/** Names as they stand in archives, from anybody, become paths below one directory or are refused. */

// A BOM is part of a name; bytes that are not UTF-8 have no name that could be told from another one.
const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const DRIVE_LETTER = /^[A-Za-z]:/;

/** @throws PATH_UNSAFE when the bytes are not UTF-8 */
export function decodeName(bytes: Uint8Array): string {
  try {
    return strictText.decode(bytes);
  } catch {
    throw unsafe(Buffer.from(bytes).toString('latin1'), 'its name is not valid UTF-8');
  }
}

/** What other systems would read in a name must not lead elsewhere either. */
function checkForeignReading(name: string): void {
  if (DRIVE_LETTER.test(name)) throw unsafe(name, 'it names a drive');
  if (name.startsWith('\\')) throw unsafe(name, 'it is absolute where a backslash is a separator');
  if (name.includes('\\') && name.split(/[\\/]/).includes('..')) {
    throw unsafe(name, 'it steps outside its directory where a backslash is a separator');
  }
}

/**
 * The path of an entry: without the `./` in front and the slashes at the end that tools write.
 * `''`: the top of the archive itself.
 * @throws PATH_UNSAFE
 */
export function pathOfName(name: string): string {
  const path = name.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');
  if (path === '' || path === '.') {
    if (name.startsWith('/') || name === '') throw unsafe(name, 'it is not a relative path');
    return '';
  }
  checkForeignReading(path);
  checkLogicalPath(path);
  return path;
}

/** @throws VERIFY_FAILED for a target that no link can have. Where it leads does not matter: it is never followed. */
export function checkLinkTarget(path: string, target: string): void {
  if (target === '') throw damaged(path, 'it is a symlink to nothing');
  if (target.includes('\0')) throw damaged(path, 'the target of the symlink holds a NUL byte');
  if (Buffer.byteLength(target) >= LOGICAL_PATH_BYTES_MAX) {
    throw damaged(path, 'the target of the symlink is too long');
  }
}

/** What goes into an archive is held to the same rules as what comes out of one. @throws PATH_UNSAFE, INVALID_PARAMS */
export function checkWrittenName(path: string, linkTarget: string | undefined): void {
  checkLogicalPath(path);
  if (linkTarget === undefined) return;
  if (linkTarget === '' || linkTarget.includes('\0') || /\p{Surrogate}/u.test(linkTarget)) {
    throw cannot('INVALID_PARAMS', 'archive symlink', path, 'its target cannot be written');
  }
}
