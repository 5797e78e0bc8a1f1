import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isSystemError } from '../../kernel/errors.ts';
import { ObjectReader } from '../chunks/object-reader.ts';
import { storedOf } from '../format/pack-layout.ts';
import { decodeRecordHeader } from '../format/record.ts';
import type { Layout } from '../layout.ts';
import { PackFiles } from '../packs/pack-files.ts';
import type { IntactPack } from '../reconcile/place-misnamed-pack.ts';

/** Its bytes hash to its name. */
export async function isIntact(path: string, name: string): Promise<boolean> {
  const bytes = await readFile(path);
  return createHash('sha256').update(bytes).digest('hex') === name;
}

/** Every record that can be read without other packs holds what it says. */
export async function isPackSound(layout: Layout, { pack, entries }: IntactPack): Promise<boolean> {
  const records = new Map(
    entries.map((entry) => {
      return [entry.id, { fields: entry, stored: storedOf(pack, entry) }] as const;
    }),
  );
  const files = new PackFiles(layout);
  const nowhere = { find: () => null, findAgain: async () => null };
  const pending = {
    pendingRecord: (id: string) => records.get(id) ?? null,
    pendingPlain: () => null,
  };
  const objects = new ObjectReader(nowhere, files, layout.keys, pending);
  try {
    for (const record of records.values()) {
      const { base } = record.fields;
      if (decodeRecordHeader(pack, record.fields.offset) === null) return false;
      if (base === null || records.has(base)) await objects.verify(record);
    }
    return true;
  } catch (error) {
    if (isSystemError(error)) throw error;
    return false;
  } finally {
    files.close();
  }
}
