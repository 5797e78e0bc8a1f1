import type { ArchiveFile } from './archive-file.ts';
import { decodeName } from './archive-names.ts';
import { damaged, unsafe, unsupported } from './archive-refusal.ts';
import { decodeCodePage437 } from './code-page-437.ts';
import type { ZipEnd } from './zip-end.ts';
import { modifiedMsOf, parseExtraFields, unicodeName, wideFields } from './zip-extra.ts';
import {
  CENTRAL_BYTES,
  CENTRAL_SIGNATURE,
  DEFLATED,
  FLAG_ENCRYPTED,
  FLAG_MASKED,
  FLAG_PATCHED,
  FLAG_STRONG_ENCRYPTION,
  FLAG_UTF8,
  HOST_DARWIN,
  HOST_UNIX,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_SYMLINK,
  MODE_TYPE,
  STORED,
} from './zip-format.ts';

/** What the directory of a zip archive says of an entry. */
export interface ZipMember {
  readonly path: string;
  /** As it stands in the directory; the header in front of the content has to say the same. */
  readonly rawName: Buffer;
  readonly type: 'file' | 'directory' | 'symlink';
  readonly mode: number;
  readonly modifiedMs: number;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly offset: number;
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [0o010000]: 'a named pipe',
  [0o020000]: 'a character device',
  [0o060000]: 'a block device',
  [0o140000]: 'a socket',
};

const isUnix = (host: number): boolean => host === HOST_UNIX || host === HOST_DARWIN;

function nameOf(
  raw: Buffer,
  flags: number,
  host: number,
  fields: ReadonlyMap<number, Buffer>,
): string {
  const unicode = unicodeName(raw, fields);
  if (unicode !== null) return decodeName(unicode);
  // Unix tools write names as they are, and they are UTF-8.
  if ((flags & FLAG_UTF8) !== 0 || isUnix(host)) return decodeName(raw);
  const name = decodeCodePage437(raw);
  if (name.includes('\\')) throw unsafe(name, 'its separators are backslashes');
  return name;
}

function typeOf(name: string, unixMode: number, archive: string): ZipMember['type'] {
  const type = unixMode & MODE_TYPE;
  if (type === MODE_SYMLINK) return 'symlink';
  if (type === MODE_DIRECTORY || (name.endsWith('/') && (type === 0 || type === MODE_FILE))) {
    return 'directory';
  }
  if (type === MODE_FILE || type === 0) return 'file';
  const what = TYPE_NAMES[type] ?? 'of an unknown type';
  const hint = 'Only files, directories and symbolic links are taken.';
  throw unsupported(archive, `"${name}" is ${what}`, hint);
}

function checkMethod(name: string, flags: number, method: number, archive: string): void {
  if ((flags & (FLAG_ENCRYPTED | FLAG_STRONG_ENCRYPTION | FLAG_MASKED)) !== 0) {
    const hint = 'Make the archive again without a password.';
    throw unsupported(archive, `"${name}" is encrypted`, hint);
  }
  if ((flags & FLAG_PATCHED) !== 0 || (method !== STORED && method !== DEFLATED)) {
    const hint = 'Make the archive again with the method "deflate".';
    throw unsupported(archive, `"${name}" is compressed by method ${method}`, hint);
  }
}

/** The permissions that tools give where an entry has none. */
const DEFAULT_MODES = { file: 0o644, directory: 0o755, symlink: 0o777 } as const;

function memberOf(header: Buffer, variable: Buffer, archive: string): ZipMember {
  const nameBytes = header.readUInt16LE(28);
  const rawName = Buffer.from(variable.subarray(0, nameBytes));
  const extraEnd = nameBytes + header.readUInt16LE(30);
  const fields = parseExtraFields(variable.subarray(nameBytes, extraEnd), archive);
  const host = header.readUInt8(5);
  const flags = header.readUInt16LE(8);
  const method = header.readUInt16LE(10);
  const name = nameOf(rawName, flags, host, fields);
  checkMethod(name, flags, method, archive);
  if (header.readUInt16LE(34) !== 0 && header.readUInt16LE(34) !== 0xffff) {
    throw unsupported(archive, 'it is one part of several', 'Join the parts first.');
  }
  const unixMode = isUnix(host) ? header.readUInt16LE(40) : 0;
  const type = typeOf(name, unixMode, archive);
  const narrow = [24, 20, 42].map((at) => header.readUInt32LE(at));
  const [bytes, compressedBytes, offset] = wideFields(narrow, fields, archive);
  if (type === 'directory' && bytes! > 0)
    throw damaged(archive, `the directory "${name}" has a content`);
  return {
    path: name,
    rawName,
    type,
    mode: unixMode === 0 ? DEFAULT_MODES[type] : unixMode & 0o777,
    modifiedMs: modifiedMsOf(fields, header.readUInt16LE(14), header.readUInt16LE(12)),
    flags,
    method,
    crc: header.readUInt32LE(16),
    compressedBytes: compressedBytes!,
    bytes: bytes!,
    offset: offset!,
  };
}

/** Reads the directory, entry by entry. @throws VERIFY_FAILED, UNSUPPORTED_FORMAT, PATH_UNSAFE */
export async function* readZipDirectory(
  file: ArchiveFile,
  { entries, directoryOffset, directoryBytes }: ZipEnd,
): AsyncGenerator<ZipMember, void> {
  const end = directoryOffset + directoryBytes;
  let at = directoryOffset;
  for (let index = 0; index < entries; index += 1) {
    if (at + CENTRAL_BYTES > end) throw damaged(file.path, 'its directory ends too early');
    const header = Buffer.from(await file.portion(at, CENTRAL_BYTES));
    if (header.readUInt32LE(0) !== CENTRAL_SIGNATURE) {
      throw damaged(file.path, 'its directory has something else than an entry');
    }
    const lengths = [28, 30, 32].map((field) => header.readUInt16LE(field));
    const variableBytes = lengths.reduce((sum, length) => sum + length, 0);
    at += CENTRAL_BYTES;
    if (at + variableBytes > end) throw damaged(file.path, 'its directory ends too early');
    yield memberOf(header, await file.portion(at, variableBytes), file.path);
    at += variableBytes;
  }
  if (at !== end) throw damaged(file.path, 'its directory has more entries than it says');
}
