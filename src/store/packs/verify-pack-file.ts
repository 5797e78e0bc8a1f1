import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { beforeRead } from '../../files/bandwidth.ts';
import { cannot } from '../../kernel/errors.ts';
import type { RepositoryKeys } from '../encryption/repository-keys.ts';
import { type PackEntry, type PackOwner, storedOf } from '../format/pack-layout.ts';
import { decodeRecordHeader, type RecordFields } from '../format/record.ts';
import { inParallel } from '../threads/in-parallel.ts';
import { LentBlock } from '../threads/lent-block.ts';
import { packIndexOf } from './pack-index.ts';
import { soundRecords } from './sound-records.ts';

const RECORDS_AT_ONCE = 32;

export interface ExpectedPack {
  /** All that was written, still in memory. */
  readonly whole: Buffer;
  readonly entries: readonly PackEntry[];
  /** CRC-32 of the stored bytes of records that are copied and not decoded, as they were put there, by id. */
  readonly checksums: ReadonlyMap<string, number>;
  readonly owner: PackOwner;
  readonly verifies: (fields: RecordFields) => boolean;
  /** Of the repository, where it is encrypted. */
  readonly keys: RepositoryKeys | null;
  /** Of a record that is no full one, or not sound: to be done by itself. */
  readonly verify: (record: { fields: RecordFields; stored: Buffer }) => Promise<void>;
}

/**
 * Reads a pack back before it gets its name: the file is, byte for byte, what is in memory, and that is read as any
 * reader would: its index, and the records that `verifies` picks, decoded; those that were copied are what was put there.
 * @throws VERIFY_FAILED
 */
export async function verifyPackFile(path: string, expected: ExpectedPack): Promise<void> {
  const { whole: pack, keys, verifies, verify } = expected;
  const isWritten = await holdsExactly(path, pack);
  const entries = packIndexOf(expected.owner, pack);
  if (!isWritten || entries?.length !== expected.entries.length) {
    throw refused(path, 'what was read back is not what was written');
  }
  const chosen = entries.filter((entry, index) => {
    const fields = decodeRecordHeader(pack, entry.offset);
    if (fields?.id !== entry.id || expected.entries[index]?.id !== entry.id) {
      throw refused(path, `record ${index} is not the one that was written`);
    }
    if (verifies(fields)) return true;
    const checksum = expected.checksums.get(entry.id);
    if (checksum === undefined || crc32(storedOf(pack, entry)) === checksum) return false;
    throw refused(path, `record ${index} has changed in memory`);
  });
  const isSound = await soundRecords(pack, chosen, keys);
  const others = chosen.filter((_, index) => !isSound[index]);
  await inParallel(others, RECORDS_AT_ONCE, (entry) => {
    const { offset: _, ...fields } = entry;
    return verify({ fields, stored: storedOf(pack, entry) });
  });
}

/** Reads a file piece by piece, so that it is not in memory twice, and compares. */
async function holdsExactly(path: string, expected: Buffer): Promise<boolean> {
  const block = new LentBlock();
  const handle = await open(path, 'r');
  try {
    let at = 0;
    for (;;) {
      await beforeRead(block.bytes.length);
      const { bytesRead } = await handle.read(block.bytes, 0, block.bytes.length, at);
      if (bytesRead === 0) return at === expected.length;
      const isEqual = block.bytes
        .subarray(0, bytesRead)
        .equals(expected.subarray(at, at + bytesRead));
      if (!isEqual) return false;
      at += bytesRead;
    }
  } finally {
    await handle.close();
    block.release();
  }
}

function refused(path: string, state: string): Error {
  return cannot('VERIFY_FAILED', 'verify pack', path, state, {
    hint: 'The disk or memory of this machine may be failing; nothing was published.',
    retryable: true,
  });
}
