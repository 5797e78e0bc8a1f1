import { createInflateRaw, inflateRawSync } from 'node:zlib';
import type { ArchiveEntry } from './archive-entry.ts';
import type { ArchiveFile } from './archive-file.ts';
import { decodeName } from './archive-names.ts';
import { damaged } from './archive-refusal.ts';
import { checkedContent } from './checked-content.ts';
import { throughTransform } from './coded-stream.ts';
import { readZipDirectory, type ZipMember } from './zip-directory.ts';
import { number64, readZipEnd, type ZipEnd } from './zip-end.ts';
import { parseExtraFields, wideFields } from './zip-extra.ts';
import {
  DEFLATED,
  DESCRIPTOR_SIGNATURE,
  FLAG_DESCRIPTOR,
  FLAG_UTF8,
  LOCAL_BYTES,
  LOCAL_SIGNATURE,
  STORED,
} from './zip-format.ts';

/** Smaller contents are decoded at once. */
const WHOLE_BYTES_MAX = 256 * 1024;
const LINK_BYTES_MAX = 4096;
/** What must be the same in both headers of an entry. */
const SHARED_FLAGS = FLAG_DESCRIPTOR | FLAG_UTF8;

/** A zip archive whose directory was read: its entries in the order in which their contents stand in the file. */
export interface ZipArchive {
  readonly file: ArchiveFile;
  readonly end: ZipEnd;
  readonly members: readonly ZipMember[];
}

/** `onMember` may refuse while the directory is read. @throws VERIFY_FAILED, UNSUPPORTED_FORMAT, PATH_UNSAFE */
export async function openZip(
  file: ArchiveFile,
  onEnd: (end: ZipEnd) => void,
  onMember: (member: ZipMember) => void,
): Promise<ZipArchive> {
  const end = await readZipEnd(file);
  onEnd(end);
  const members: ZipMember[] = [];
  for await (const member of readZipDirectory(file, end)) {
    onMember(member);
    members.push(member);
  }
  members.sort((left, right) => left.offset - right.offset);
  return { file, end, members };
}

/**
 * Goes through the headers in front of the contents. Each must say what the directory says, and together with the
 * contents they must fill the file from its first byte up to the directory: nothing overlaps, nothing lies between.
 * @throws VERIFY_FAILED
 */
export async function checkZipLayout({ file, end, members }: ZipArchive): Promise<void> {
  let expected = 0;
  for (const [index, member] of members.entries()) {
    if (member.offset !== expected) {
      throw damaged(member.path, 'it overlaps another entry, or something lies before it');
    }
    const contentAt = await checkLocalHeader(file, member);
    const next = members[index + 1]?.offset ?? end.directoryOffset;
    const contentEnd = contentAt + member.compressedBytes;
    if (contentEnd > next) throw damaged(member.path, 'it overlaps another entry');
    await checkDescriptor(file, member, contentEnd, next - contentEnd);
    expected = next;
  }
  if (expected !== end.directoryOffset) {
    throw damaged(file.path, 'something lies before its directory');
  }
}

/** Where the content begins. */
async function checkLocalHeader(file: ArchiveFile, member: ZipMember): Promise<number> {
  const header = Buffer.from(await file.portion(member.offset, LOCAL_BYTES));
  if (header.readUInt32LE(0) !== LOCAL_SIGNATURE) {
    throw damaged(member.path, 'its content is not where the directory says');
  }
  const nameBytes = header.readUInt16LE(26);
  const extraBytes = header.readUInt16LE(28);
  const variable = await file.portion(member.offset + LOCAL_BYTES, nameBytes + extraBytes);
  const fields = parseExtraFields(variable.subarray(nameBytes), file.path);
  const narrow = [header.readUInt32LE(22), header.readUInt32LE(18)];
  const [bytes, compressedBytes] = wideFields(narrow, fields, file.path);
  const isLate = (member.flags & FLAG_DESCRIPTOR) !== 0;
  const same = (here: number, there: number): boolean => here === there || (isLate && here === 0);
  const agrees =
    variable.subarray(0, nameBytes).equals(member.rawName) &&
    header.readUInt16LE(8) === member.method &&
    (header.readUInt16LE(6) & SHARED_FLAGS) === (member.flags & SHARED_FLAGS) &&
    same(header.readUInt32LE(14), member.crc) &&
    same(bytes!, member.bytes) &&
    same(compressedBytes!, member.compressedBytes);
  if (!agrees) throw damaged(member.path, 'its two headers contradict each other');
  return member.offset + LOCAL_BYTES + nameBytes + extraBytes;
}

/** Sizes that follow the content come with or without a signature, in 32 or in 64 bits. */
async function checkDescriptor(
  file: ArchiveFile,
  member: ZipMember,
  at: number,
  gapBytes: number,
): Promise<void> {
  if (gapBytes === 0) return;
  const isPossible = [12, 16, 20, 24].includes(gapBytes) && (member.flags & FLAG_DESCRIPTOR) !== 0;
  if (!isPossible) throw damaged(member.path, 'something lies after its content');
  const descriptor = await file.portion(at, gapBytes);
  const isSigned = gapBytes === 16 || gapBytes === 24;
  const crcAt = isSigned ? 4 : 0;
  const isWide = gapBytes >= 20;
  const compressedBytes = isWide
    ? number64(descriptor, crcAt + 4)
    : descriptor.readUInt32LE(crcAt + 4);
  const bytes = isWide ? number64(descriptor, crcAt + 12) : descriptor.readUInt32LE(crcAt + 8);
  const agrees =
    (!isSigned || descriptor.readUInt32LE(0) === DESCRIPTOR_SIGNATURE) &&
    descriptor.readUInt32LE(crcAt) === member.crc &&
    compressedBytes === member.compressedBytes &&
    bytes === member.bytes;
  if (!agrees) throw damaged(member.path, 'what follows its content contradicts its headers');
}

async function contentStart(file: ArchiveFile, { offset }: ZipMember): Promise<number> {
  const header = await file.portion(offset, LOCAL_BYTES);
  return offset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
}

async function* decodedContent(
  file: ArchiveFile,
  member: ZipMember,
): AsyncGenerator<Uint8Array, void> {
  const { bytes, compressedBytes, method } = member;
  const start = await contentStart(file, member);
  const end = start + compressedBytes;
  if (method === STORED) yield* file.stream(start, end);
  else if (bytes <= WHOLE_BYTES_MAX && compressedBytes <= 2 * WHOLE_BYTES_MAX) {
    const compressed = await file.portion(start, compressedBytes);
    yield inflateRawSync(compressed, { maxOutputLength: Math.max(bytes, 1) });
  } else {
    const inflate = createInflateRaw({ chunkSize: 64 * 1024 });
    yield* throughTransform(file.stream(start, end), inflate);
  }
}

/** @throws VERIFY_FAILED when it is not as long as announced, or its CRC-32 differs */
function contentOf(file: ArchiveFile, member: ZipMember): AsyncGenerator<Uint8Array, void> {
  const { path, bytes, crc } = member;
  return checkedContent(path, decodedContent(file, member), { bytes, crc, refuse: damaged });
}

async function linkTargetOf(file: ArchiveFile, member: ZipMember): Promise<string> {
  if (member.bytes > LINK_BYTES_MAX) {
    throw damaged(member.path, 'the target of the symlink is too long');
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of contentOf(file, member)) pieces.push(piece);
  return decodeName(Buffer.concat(pieces));
}

/** The entries of an archive, in the order in which they stand in the file. @throws VERIFY_FAILED, PATH_UNSAFE */
export async function* readZip({ file, members }: ZipArchive): AsyncGenerator<ArchiveEntry, void> {
  for (const member of members) {
    const { path, type, mode, modifiedMs, bytes, method, compressedBytes } = member;
    const isStored = method !== DEFLATED;
    if (isStored && compressedBytes !== bytes) {
      throw damaged(path, 'it is stored, and yet its two sizes differ');
    }
    const shared = { path, type, mode, modifiedMs };
    if (type === 'directory') yield { ...shared, bytes: 0 };
    else if (type === 'file') yield { ...shared, bytes, content: () => contentOf(file, member) };
    else yield { ...shared, bytes: 0, linkTarget: await linkTargetOf(file, member) };
  }
}
