import { existsSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { systemCode } from '../kernel/errors.ts';

/** Ends every complete header and every name of a super-journal. */
const MAGIC = Buffer.from('d9d505f920a163d7', 'hex');
/** After the name: its length, its checksum, and the magic bytes. */
const END_BYTES = 16;
/** The number of a page that is never used, before the name. */
const PAGE_NUMBER_BYTES = 4;
const NAME_BYTES_MAX = 4096;
/** As SQLite names them when one transaction changes several files. */
const SUPER_JOURNAL_NAME = /-mj[0-9A-F]{9,}$/;

/**
 * Makes a rollback journal safe to be rolled back beside a copy. A journal may name a super-journal, which SQLite
 * opens, and deletes once it thinks that it is done with: an untrue name would have it delete any file that this
 * user may delete. So the name is cut off; where it is a true one, what it would have told SQLite is done here.
 *
 * Only for copies: nobody may have the journal open.
 */
export async function disarmJournal(journal: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(journal, 'r+');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  let hasCommitted = false;
  try {
    // Cut off one after the other: what is left must not end in another name.
    for (let found = await superJournalOf(handle); found !== null; ) {
      hasCommitted ||= isTrueName(found.name) && !existsSync(found.name);
      await handle.truncate(found.offset);
      found = await superJournalOf(handle);
    }
  } finally {
    await handle.close();
  }
  // The transaction of several files has ended where its super-journal is gone: nothing is to be put back.
  if (hasCommitted) await rm(journal, { force: true });
}

const isTrueName = (name: string): boolean =>
  isAbsolute(name) && !name.includes('\0') && SUPER_JOURNAL_NAME.test(name);

/** The name at the end of a journal, and where its entry begins; null where there is none. */
async function superJournalOf(
  handle: FileHandle,
): Promise<{ readonly name: string; readonly offset: number } | null> {
  const { size } = await handle.stat();
  if (size < END_BYTES) return null;
  const end = await readAt(handle, size - END_BYTES, END_BYTES);
  if (!end.subarray(8).equals(MAGIC)) return null;
  const nameBytes = end.readUInt32BE(0);
  const offset = size - END_BYTES - nameBytes - PAGE_NUMBER_BYTES;
  // Whatever SQLite makes of an impossible length: without the magic bytes it is no name.
  if (nameBytes === 0 || nameBytes > NAME_BYTES_MAX || offset < 0) {
    return { name: '', offset: size - END_BYTES };
  }
  const name = await readAt(handle, size - END_BYTES - nameBytes, nameBytes);
  return { name: name.toString('utf8'), offset };
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  await handle.read(buffer, 0, length, position);
  return buffer;
}
