import { localPayloadBytes } from '../../sqlite/format/cell.ts';
import type { PageKind } from '../../sqlite/format/page.ts';
import { type RecordValue, StoredText } from '../../sqlite/format/record.ts';

export const EMPTIED = 'an overflow page was emptied';

interface ReadRow {
  readonly payload: Buffer;
  /** Text among them shares the payload's bytes. */
  readonly values: readonly RecordValue[];
}

/**
 * True when a whole overflow page of the row is zeros although text should be there. The last page of a chain that was
 * emptied still ends the chain as it should: the record reads well, and is not what was written.
 */
export function hasEmptiedText(
  { payload, values }: ReadRow,
  kind: PageKind,
  usableBytes: number,
): boolean {
  const local = localPayloadBytes(payload.length, kind, usableBytes);
  for (let start = local; start < payload.length; start += usableBytes - 4) {
    const end = Math.min(start + usableBytes - 4, payload.length);
    if (!payload.subarray(start, end).every((byte) => byte === 0)) continue;
    const from = payload.byteOffset + start;
    const to = payload.byteOffset + end;
    for (const value of values) {
      if (!(value instanceof StoredText)) continue;
      const { byteOffset, length } = value.bytes;
      if (byteOffset < to && byteOffset + length > from) return true;
    }
  }
  return false;
}
