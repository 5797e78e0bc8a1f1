import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cannot } from '../kernel/errors.ts';
import { statFamily } from './family.ts';
import { HEADER_BYTES, parseHeader } from './header.ts';
import { readStart } from './read-at.ts';

/**
 * How a database is read so that nothing beside it changes.
 * - `readonly`: opened in place. All of its files are there already, or it needs none.
 * - `readwrite`: a WAL database that is closed, `-wal` and `-shm` both absent. A read-only connection would make them
 *   and leave them behind; one that may write removes them again when it is the last to close.
 * - `copy`: reading it in place would make, change or remove a file: a log without `-shm`, a journal to roll back,
 *   a directory we cannot write to.
 * - `plain`: not a database that SQLite reads.
 */
export type PinMethod = 'readonly' | 'readwrite' | 'copy' | 'plain';

/**
 * Opens and closes the file: for use before a connection is opened.
 * @throws PATH_NOT_FOUND
 */
export async function choosePinMethod(path: string): Promise<PinMethod> {
  const header = parseHeader(readStart(path, HEADER_BYTES) ?? Buffer.alloc(0));
  const { main, wal, shm, journal } = await statFamily(path);
  if (main === null) throw cannot('PATH_NOT_FOUND', 'read database', path, 'there is no such file');
  if (header === null) return 'plain';
  const usesLog = header.journalMode === 'wal' || (wal !== null && wal.bytes > 0);
  if (!usesLog || (wal !== null && shm !== null)) return 'readonly';
  if (wal !== null || shm !== null) return 'copy';
  // A connection that may write rolls a journal back, in the file itself.
  if (journal !== null) return 'copy';
  return (await canWrite(path)) && (await canWrite(dirname(path))) ? 'readwrite' : 'copy';
}

async function canWrite(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}
