import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { cannot, messageOf, systemCode } from '../../kernel/errors.ts';
import { isDatabaseHeader } from '../../sqlite/header.ts';

export type ImportFormat = 'db' | 'sql' | 'jsonl' | 'archive';

const LOOK_BYTES = 4096;
const MAGIC_OF_TAR = { offset: 257, bytes: Buffer.from('ustar') } as const;
/** gzip, zstd, and the two ways a zip begins. */
const MAGICS = [
  Buffer.from([0x1f, 0x8b]),
  Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
  Buffer.from('PK\x03\x04', 'latin1'),
  Buffer.from('PK\x05\x06', 'latin1'),
];

/** What a file is by its content, whatever its name says. @throws PATH_NOT_FOUND, INVALID_PARAMS, UNSUPPORTED_FORMAT */
export async function formatOf(path: string): Promise<ImportFormat> {
  const first = await firstBytes(path);
  if (isDatabaseHeader(first)) return 'db';
  const isArchive =
    MAGICS.some((magic) => first.subarray(0, magic.length).equals(magic)) ||
    first.subarray(MAGIC_OF_TAR.offset).subarray(0, 5).equals(MAGIC_OF_TAR.bytes);
  if (isArchive) return 'archive';
  // A byte order mark says nothing of what follows it.
  const text = first
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  if (text.startsWith('{') || text.startsWith('[')) return 'jsonl';
  if (text !== '' && !first.includes(0)) return 'sql';
  const state = first.length === 0 ? 'it is empty' : 'it is none of db, sql, jsonl, tar and zip';
  throw cannot('UNSUPPORTED_FORMAT', 'import', path, state, {
    hint: 'holdfast export makes what can be imported.',
  });
}

async function firstBytes(path: string): Promise<Buffer> {
  try {
    // A pipe must not be waited for.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!(await handle.stat()).isFile()) {
        throw cannot('INVALID_PARAMS', 'import', path, 'it is no ordinary file');
      }
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(LOOK_BYTES), 0, LOOK_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw cannot('PATH_NOT_FOUND', 'import', path, 'there is no such file');
    }
    if (code !== 'EACCES' && code !== 'EPERM') throw error;
    throw cannot('IO_ERROR', 'import', path, messageOf(error), {
      hint: 'The process that does the work must be able to read it.',
      cause: error,
    });
  }
}
