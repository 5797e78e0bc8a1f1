import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Activity } from '../../kernel/activity.ts';
import { HoldfastError, isSystemError, messageOf, systemCode } from '../../kernel/errors.ts';
import type { Catalog, UnreadableDelta } from '../catalog/catalog.ts';
import { soundOnly } from '../catalog/load-packs.ts';
import type { ObjectReader } from '../chunks/object-reader.ts';
import { NO_DAMAGE, readKnownDamage } from '../damage/known-damage.ts';
import { type PackEntry, storedOf } from '../format/pack-layout.ts';
import { decodeRecordHeader, type RecordFields } from '../format/record.ts';
import { type Layout, packNameOf, packPath } from '../layout.ts';
import { withPackBytes } from '../packs/pack-bytes.ts';
import { packIndexOf, readPackIndex } from '../packs/pack-index.ts';
import { packOwner } from '../packs/pack-owner.ts';
import { soundRecords } from '../packs/sound-records.ts';
import { bytePool } from '../threads/byte-pool.ts';
import { inParallel } from '../threads/in-parallel.ts';
import type { Findings } from './findings.ts';
import { FoundDamage } from './found-damage.ts';

/** Enough to keep every thread busy. */
const RECORDS_AT_ONCE = 96;

/** Of deltas whose base is nowhere, so many are remembered: they are told of where a snapshot needs one. */
const UNREADABLE_MAX = 10_000;

/**
 * Reads the index of every pack into `index`. Damaged packs are findings. `unreadable`: deltas whose base is nowhere,
 * by id; a prune may leave such as no snapshot needs.
 */
export async function checkPackIndexes(
  names: readonly string[],
  layout: Layout,
  repositoryId: string,
  index: Catalog,
  findings: Findings,
  activity: Activity,
): Promise<{ packBytes: number; unreadable: ReadonlyMap<string, UnreadableDelta> }> {
  let packBytes = 0;
  index.beginLoading();
  const { records: damaged } = readKnownDamage(layout) ?? NO_DAMAGE;
  for (const [done, name] of names.entries()) {
    activity.signal.throwIfAborted();
    activity.progress({ phase: 'packs', filesDone: done, totalFiles: names.length });
    const path = packPath(layout, name);
    try {
      const { entries, bytes } = await readPackIndex(packOwner(layout, repositoryId), path);
      packBytes += bytes;
      if (entries === null) {
        findings.error(
          'PACK_DAMAGED',
          'its header, footer or trailer is damaged',
          shown(layout, path),
        );
        continue;
      }
      index.addPack(name, bytes, soundOnly(entries, damaged.get(name)));
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      findings.error('PACK_DAMAGED', `it cannot be read: ${messageOf(error)}`, shown(layout, path));
    }
  }
  const unreadable = new Map(index.unreadableDeltas(UNREADABLE_MAX).map((row) => [row.id, row]));
  index.endLoading();
  return { packBytes, unreadable };
}

/** Says of missing objects why they are, where a delta of them is there. */
export function checkMissing(
  missing: ReadonlySet<string>,
  unreadable: ReadonlyMap<string, UnreadableDelta>,
  layout: Layout,
  findings: Findings,
): void {
  for (const id of missing) {
    const delta = unreadable.get(id);
    if (delta === undefined) continue;
    const message = `object ${id} is a delta against ${delta.base}, which is not there as a full record`;
    findings.error('BASE_MISSING', message, shown(layout, packPath(layout, delta.pack)));
  }
}

/** Files in `packs/` that are no packs. */
export async function checkPackFolder(layout: Layout, findings: Findings): Promise<void> {
  for (const entry of await readdir(layout.packs, { withFileTypes: true })) {
    const directory = join(layout.packs, entry.name);
    if (!entry.isDirectory() || !/^[0-9a-f]{2}$/.test(entry.name)) {
      findings.warning(
        'FOREIGN_FILE',
        'it is not part of the repository',
        shown(layout, directory),
      );
      continue;
    }
    for (const file of await readdir(directory)) {
      if (packNameOf(file)?.startsWith(entry.name) === true) continue;
      const path = shown(layout, join(directory, file));
      findings.warning('FOREIGN_FILE', 'it is not part of the repository', path);
    }
  }
}

/**
 * Reads a whole pack: its bytes hash to its name, every record decodes to what its id says. Deltas of whose base
 * `index` knows no full record need not.
 */
export async function checkPackData(
  name: string,
  layout: Layout,
  repositoryId: string,
  objects: ObjectReader,
  index: Catalog,
  findings: Findings,
  damage: FoundDamage = new FoundDamage(),
): Promise<number> {
  const path = packPath(layout, name);
  const where = shown(layout, path);
  try {
    return await withPackBytes(path, async (pack) => {
      const hashing = bytePool().run({ kind: 'hash', bytes: pack });
      const entries = packIndexOf(packOwner(layout, repositoryId), pack) ?? [];
      const isSound = await soundRecords(pack, entries, layout.keys);
      const problems = entries.map((): RecordProblem | null => null);
      await inParallel(entries.entries(), RECORDS_AT_ONCE, async ([at, entry]) => {
        const isDecoded = isSound[at]! || isBaseless(entry, index);
        problems[at] = await recordProblem(pack, entry, isDecoded ? null : objects);
      });
      if ((await hashing).id !== name) {
        findings.error('PACK_DAMAGED', 'its bytes do not hash to its name', where);
      }
      for (const [index, problem] of problems.entries()) {
        if (problem === null) continue;
        const id = entries[index]!.id;
        findings.error('OBJECT_DAMAGED', `object ${id}: ${problem.message}`, where);
        if (problem.isOwn) damage.record(name, id);
      }
      return pack.length;
    });
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    findings.error('PACK_DAMAGED', `it cannot be read: ${messageOf(error)}`, where);
    return 0;
  }
}

interface RecordProblem {
  readonly message: string;
  /** False where it is that of the base. */
  readonly isOwn: boolean;
}

/** Of a delta that nobody can read, and that nobody needs, or it was told of as missing. */
const isBaseless = ({ base }: PackEntry, index: Catalog): boolean =>
  base !== null && index.find(base)?.base !== null;

/** `objects`: decodes the record; null where that is not to be done. */
async function recordProblem(
  pack: Buffer,
  entry: PackEntry,
  objects: ObjectReader | null,
): Promise<RecordProblem | null> {
  const fields = decodeRecordHeader(pack, entry.offset);
  if (fields === null) return { message: 'its record header is damaged', isOwn: true };
  if (!isRecordOf(fields, entry)) {
    return { message: 'its record header and the footer disagree', isOwn: true };
  }
  try {
    await objects?.verify({ fields, stored: storedOf(pack, entry) });
    return null;
  } catch (error) {
    // Its base could not even be opened: that says nothing about either.
    if (isSystemError(error)) throw error;
    // Decoders throw errors of their own at broken streams; anything else is about this record.
    if (!(error instanceof HoldfastError)) {
      return { message: `it cannot be decoded: ${messageOf(error)}`, isOwn: true };
    }
    const isOwn = fields.base === null || !error.message.includes(fields.base);
    return { message: error.message, isOwn };
  }
}

const isRecordOf = (fields: RecordFields, entry: PackEntry): boolean =>
  fields.id === entry.id &&
  fields.base === entry.base &&
  fields.kind === entry.kind &&
  fields.codec === entry.codec &&
  fields.plainBytes === entry.plainBytes &&
  fields.storedBytes === entry.storedBytes &&
  fields.encrypted === entry.encrypted;

/** The packs to read: all, or a share of them chosen by `seed`. */
export function choosePacks(
  names: readonly string[],
  readData: 'none' | 'all' | { percent: number; seed: number },
): readonly string[] {
  if (readData === 'all') return names;
  if (readData === 'none') return [];
  const { percent, seed } = readData;
  const rank = (name: string): string =>
    createHash('sha256').update(`${seed}:${name}`).digest('hex');
  const count = Math.ceil((names.length * Math.min(Math.max(percent, 0), 100)) / 100);
  return names
    .map((name) => ({ name, rank: rank(name) }))
    .sort((left, right) => (left.rank < right.rank ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name);
}

const shown = (layout: Layout, path: string): string => relative(layout.root, path);
