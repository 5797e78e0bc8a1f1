import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { beforeRead } from '../../files/bandwidth.ts';
import { cannot } from '../../kernel/errors.ts';
import type { PackEntry } from '../format/pack-layout.ts';
import { decodeRecordHeader, RECORD_HEADER_BYTES, type RecordFields } from '../format/record.ts';
import { packIndexOf } from './pack-index.ts';

export interface ExpectedPack {
  readonly name: string;
  readonly entries: readonly PackEntry[];
  readonly repositoryId: string;
  readonly verifies: (fields: RecordFields) => boolean;
  readonly decode: (record: { fields: RecordFields; stored: Buffer }) => Promise<unknown>;
}

/**
 * Reads a pack back as any reader would, before it gets its name: its hash, its index, and every delta and
 * the full records that `verifies` picks, decoded.
 * @throws VERIFY_FAILED
 */
export async function verifyPackFile(path: string, expected: ExpectedPack): Promise<void> {
  await beforeRead((await stat(path)).size);
  const pack = await readFile(path);
  const entries = packIndexOf(expected.repositoryId, pack);
  const hash = createHash('sha256').update(pack).digest('hex');
  if (hash !== expected.name || entries?.length !== expected.entries.length) {
    throw refused(path, 'what was read back is not what was written');
  }
  for (const [index, entry] of entries.entries()) {
    const fields = decodeRecordHeader(pack, entry.offset);
    if (fields?.id !== entry.id || expected.entries[index]?.id !== entry.id) {
      throw refused(path, `record ${index} is not the one that was written`);
    }
    if (fields.base === null && !expected.verifies(fields)) continue;
    const begin = entry.offset + RECORD_HEADER_BYTES;
    await expected.decode({ fields, stored: pack.subarray(begin, begin + fields.storedBytes) });
  }
}

function refused(path: string, state: string): Error {
  return cannot('VERIFY_FAILED', 'verify pack', path, state, {
    hint: 'The disk or memory of this machine may be failing; nothing was published.',
    retryable: true,
  });
}
