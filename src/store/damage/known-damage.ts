import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { z } from 'zod';
import { removeDurably } from '../../files/durable.ts';
import { systemCode } from '../../kernel/errors.ts';
import { canonicalJson } from '../format/canonical-json.ts';
import type { Layout } from '../layout.ts';
import { publishFile } from '../publish-file.ts';

/** What is known to be damaged: `damaged.json` (docs/format.md, Known damage). */
export interface KnownDamage {
  /** By pack: records that do not decode to what hashes to their id. Nobody reads them. */
  readonly records: ReadonlyMap<string, ReadonlySet<string>>;
  /** Objects that no sound record holds. To be stored again as soon as their bytes are met. */
  readonly missing: ReadonlySet<string>;
  /** False where there were more than are listed: nothing is then taken from a snapshot without being read. */
  readonly complete: boolean;
}

export const NO_DAMAGE: KnownDamage = { records: new Map(), missing: new Set(), complete: true };

const IDS_MAX = 200_000;
const FILE_BYTES_MAX = 64 * 1024 * 1024;

const id = z.string().regex(/^[0-9a-f]{64}$/);
const document = z.strictObject({
  format: z.literal(1),
  checksum: id,
  damage: z.strictObject({
    records: z.record(id, z.array(id)),
    missing: z.array(id),
    complete: z.boolean(),
  }),
});

/** None where there is no such file, null where it cannot be read: it is advice, and a check finds the same again. */
export function readKnownDamage({ knownDamage }: Pick<Layout, 'knownDamage'>): KnownDamage | null {
  try {
    if (statSync(knownDamage).size > FILE_BYTES_MAX) return null;
    const { checksum, damage } = document.parse(JSON.parse(readFileSync(knownDamage, 'utf8')));
    if (checksumOf(damage) !== checksum) return null;
    const records = Object.entries(damage.records).map(
      ([pack, ids]) => [pack, new Set(ids)] as const,
    );
    const { complete } = damage;
    return { records: new Map(records), missing: new Set(damage.missing), complete };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return NO_DAMAGE;
    if (code !== undefined && /^E[A-Z]+$/.test(code)) throw error;
    return null;
  }
}

/** Replaces the file durably; removes it where nothing is damaged. Only under the writer's lock. */
export async function writeKnownDamage(layout: Layout, damage: KnownDamage): Promise<void> {
  if (damage.records.size === 0 && damage.missing.size === 0 && damage.complete) {
    await removeDurably(layout.knownDamage);
    return;
  }
  let room = IDS_MAX;
  const take = (ids: ReadonlySet<string>): string[] => {
    const taken = [...ids].slice(0, room).sort();
    room -= taken.length;
    return taken;
  };
  const missing = take(damage.missing);
  const records = Object.fromEntries(
    [...damage.records].flatMap(([pack, ids]) => (room > 0 ? [[pack, take(ids)]] : [])),
  );
  const listed = missing.length === damage.missing.size;
  const body = { records, missing, complete: damage.complete && listed };
  const bytes = Buffer.from(canonicalJson({ format: 1, checksum: checksumOf(body), damage: body }));
  await publishFile(layout, layout.knownDamage, bytes);
}

const checksumOf = (damage: unknown): string =>
  createHash('sha256').update(canonicalJson(damage)).digest('hex');
