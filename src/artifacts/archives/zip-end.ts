import type { ArchiveFile } from './archive-file.ts';
import { damaged, unsupported } from './archive-refusal.ts';
import {
  END_BYTES,
  END64_BYTES,
  END64_SIGNATURE,
  LOCATOR64_BYTES,
  LOCATOR64_SIGNATURE,
  SATURATED_16,
  SATURATED_32,
} from './zip-format.ts';

/** Where the directory of a zip archive is and how many entries it has. */
export interface ZipEnd {
  readonly entries: number;
  readonly directoryOffset: number;
  readonly directoryBytes: number;
}

const COMMENT_BYTES_MAX = 0xffff;
const SIGNATURE = Buffer.from([0x50, 0x4b, 0x05, 0x06]);

/** A number of 64 bits, or more than any file holds. */
export function number64(buffer: Buffer, at: number): number {
  const value = Number(buffer.readBigUInt64LE(at));
  return Number.isSafeInteger(value) ? value : Number.MAX_SAFE_INTEGER;
}

/**
 * The end of central directory record must be the last thing in the file, and nothing in its comment may look like
 * another one: tools that search from different ends would otherwise read different archives.
 */
async function findEnd(file: ArchiveFile): Promise<{ readonly at: number; readonly end: Buffer }> {
  const bytes = Math.min(file.bytes, END_BYTES + COMMENT_BYTES_MAX);
  const tail = Buffer.from(await file.portion(file.bytes - bytes, bytes));
  const at = tail.lastIndexOf(SIGNATURE, tail.length - SIGNATURE.length);
  if (at === -1 || at + END_BYTES > tail.length) {
    throw damaged(file.path, 'its end is missing');
  }
  const end = tail.subarray(at);
  if (end.readUInt16LE(20) !== end.length - END_BYTES) {
    throw damaged(file.path, 'its comment is not as long as it says, or something follows its end');
  }
  return { at: file.bytes - bytes + at, end };
}

/** A field of 32 or 16 bits must say the same as its 64 bits, unless it says that it cannot. */
function checkAgreement(small: number, saturated: number, large: number, path: string): void {
  if (small !== saturated && small !== large)
    throw damaged(path, 'its two ends contradict each other');
}

/** The zip64 record before the end. null: there is none. */
async function readZip64(
  file: ArchiveFile,
  endAt: number,
  end: Buffer,
): Promise<{ readonly at: number; readonly found: ZipEnd } | null> {
  const locatorAt = endAt - LOCATOR64_BYTES;
  if (locatorAt < END64_BYTES) return null;
  const locator = Buffer.from(await file.portion(locatorAt, LOCATOR64_BYTES));
  if (locator.readUInt32LE(0) !== LOCATOR64_SIGNATURE) return null;
  const at = number64(locator, 8);
  if (locator.readUInt32LE(4) !== 0 || locator.readUInt32LE(16) > 1) throw severalDisks(file.path);
  const record = Buffer.from(await file.portion(at, END64_BYTES));
  if (record.readUInt32LE(0) !== END64_SIGNATURE || at + 12 + number64(record, 4) !== locatorAt) {
    throw damaged(file.path, 'its zip64 end is not where it says');
  }
  if (record.readUInt32LE(16) !== 0 || record.readUInt32LE(20) !== 0) throw severalDisks(file.path);
  const entries = number64(record, 32);
  if (number64(record, 24) !== entries) throw severalDisks(file.path);
  const directoryBytes = number64(record, 40);
  const directoryOffset = number64(record, 48);
  checkAgreement(end.readUInt16LE(10), SATURATED_16, entries, file.path);
  checkAgreement(end.readUInt32LE(12), SATURATED_32, directoryBytes, file.path);
  checkAgreement(end.readUInt32LE(16), SATURATED_32, directoryOffset, file.path);
  return { at, found: { entries, directoryBytes, directoryOffset } };
}

function severalDisks(path: string): Error {
  return unsupported(path, 'it is one part of several', 'Join the parts first, with zip -s 0.');
}

/**
 * Finds the directory. It must end where the end record begins: nothing stands in between, and nothing was put in
 * front of the archive.
 * @throws VERIFY_FAILED, UNSUPPORTED_FORMAT
 */
export async function readZipEnd(file: ArchiveFile): Promise<ZipEnd> {
  const { at, end } = await findEnd(file);
  const zip64 = await readZip64(file, at, end);
  const found = zip64?.found ?? {
    entries: end.readUInt16LE(10),
    directoryBytes: end.readUInt32LE(12),
    directoryOffset: end.readUInt32LE(16),
  };
  if (zip64 === null) {
    if (end.readUInt16LE(4) !== 0 || end.readUInt16LE(6) !== 0) throw severalDisks(file.path);
    if (end.readUInt16LE(8) !== found.entries) throw severalDisks(file.path);
  }
  if (found.directoryOffset + found.directoryBytes !== (zip64?.at ?? at)) {
    throw damaged(file.path, 'its directory does not end where its end begins');
  }
  return found;
}
