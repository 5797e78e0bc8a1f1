import { cannot } from '../../kernel/errors.ts';
import type { PackEntry, PackOwner } from '../format/pack-layout.ts';
import { decodeRecordHeader, RECORD_HEADER_BYTES, type RecordFields } from '../format/record.ts';
import { bytePool } from '../threads/byte-pool.ts';
import { inParallel } from '../threads/in-parallel.ts';
import { withPackBytes } from './pack-bytes.ts';
import { packIndexOf } from './pack-index.ts';

const RECORDS_AT_ONCE = 32;

export interface ExpectedPack {
  readonly name: string;
  readonly entries: readonly PackEntry[];
  readonly owner: PackOwner;
  readonly verifies: (fields: RecordFields) => boolean;
  readonly verify: (record: { fields: RecordFields; stored: Buffer }) => Promise<void>;
}

/**
 * Reads a pack back as any reader would, before it gets its name: its hash, its index, and the records that
 * `verifies` picks, decoded.
 * @throws VERIFY_FAILED
 */
export async function verifyPackFile(path: string, expected: ExpectedPack): Promise<void> {
  await withPackBytes(path, async (pack) => {
    const hashing = bytePool().run({ kind: 'hash', bytes: pack });
    const entries = packIndexOf(expected.owner, pack);
    if ((await hashing).id !== expected.name || entries?.length !== expected.entries.length) {
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
  });
}

function refused(path: string, state: string): Error {
  return cannot('VERIFY_FAILED', 'verify pack', path, state, {
    hint: 'The disk or memory of this machine may be failing; nothing was published.',
    retryable: true,
  });
}
