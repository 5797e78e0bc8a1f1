import { storedOf } from '../format/pack-layout.ts';
import { RECORD_HEADER_BYTES, type RecordFields } from '../format/record.ts';
import type { Layout } from '../layout.ts';
import { packIndexOf, scanPack } from './pack-index.ts';
import { packOwner } from './pack-owner.ts';

export interface PlacedRecord {
  readonly fields: RecordFields;
  readonly stored: Buffer;
  /** Of its header. */
  readonly offset: number;
}

/** Whatever may be a record in a pack that may be damaged: what its index names, and what else looks like one. */
export function recordsOf(layout: Layout, repositoryId: string, pack: Buffer): PlacedRecord[] {
  const placed = new Map<number, PlacedRecord>();
  for (const { fields, stored } of scanPack(pack)) {
    const offset = stored.byteOffset - pack.byteOffset - RECORD_HEADER_BYTES;
    placed.set(offset, { fields, stored, offset });
  }
  const entries = packIndexOf(packOwner(layout, repositoryId), pack);
  if (entries === null) return [...placed.values()];
  // Its index is authentic: whatever only looks like a record stands inside of one.
  return entries.map((entry) => {
    const { offset, ...fields } = entry;
    return { fields, stored: storedOf(pack, entry), offset };
  });
}
