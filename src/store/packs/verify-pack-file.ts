import { open } from 'node:fs/promises';
import { beforeRead } from '../../files/bandwidth.ts';
import { cannot } from '../../kernel/errors.ts';
import type { PackEntry, PackOwner } from '../format/pack-layout.ts';
import { decodeRecordHeader, RECORD_HEADER_BYTES, type RecordFields } from '../format/record.ts';
import { bytePool } from '../threads/byte-pool.ts';
import { inParallel } from '../threads/in-parallel.ts';
import { LentBlock } from '../threads/lent-block.ts';
import { packIndexOf } from './pack-index.ts';

const RECORDS_AT_ONCE = 32;

export interface ExpectedPack {
  readonly name: string;
  /** All that was written, still in memory. */
  readonly whole: Buffer;
  readonly entries: readonly PackEntry[];
  readonly owner: PackOwner;
  readonly verifies: (fields: RecordFields) => boolean;
  readonly verify: (record: { fields: RecordFields; stored: Buffer }) => Promise<void>;
}

/**
 * Reads a pack back before it gets its name: the file is, byte for byte, what is in memory, and that hashes to its
 * name still and is read as any reader would: its index, and the records that `verifies` picks, decoded.
 * @throws VERIFY_FAILED
 */
export async function verifyPackFile(path: string, expected: ExpectedPack): Promise<void> {
  const { whole: pack } = expected;
  const hashing = bytePool().run({ kind: 'hash', bytes: pack });
  // Its failure is thrown below; nobody asks for it where reading fails before.
  hashing.catch(() => {});
  const isWritten = await holdsExactly(path, pack);
  const entries = packIndexOf(expected.owner, pack);
  const { id } = await hashing;
  if (!isWritten || id !== expected.name || entries?.length !== expected.entries.length) {
    throw refused(path, 'what was read back is not what was written');
  }
  const chosen = entries.flatMap((entry, index) => {
    const fields = decodeRecordHeader(pack, entry.offset);
    if (fields?.id !== entry.id || expected.entries[index]?.id !== entry.id) {
      throw refused(path, `record ${index} is not the one that was written`);
    }
    if (!expected.verifies(fields)) return [];
    const begin = entry.offset + RECORD_HEADER_BYTES;
    return [{ fields, stored: pack.subarray(begin, begin + fields.storedBytes) }];
  });
  await inParallel(chosen, RECORDS_AT_ONCE, (record) => expected.verify(record));
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
