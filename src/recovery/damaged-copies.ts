import { join } from 'node:path';
import type { Activity } from '../kernel/activity.ts';
import { messageOf } from '../kernel/errors.ts';
import {
  CHECK_MESSAGES_MAX,
  checkDatabase,
  type DatabaseCheckResult,
} from '../sqlite/database-check.ts';
import type { Assessment } from './candidates/candidate.ts';
import { readDamage } from './damage.ts';
import { bytesOf, copyFamilyAside } from './family-copies.ts';
import { measure, type Yardstick } from './gates.ts';
import { makeReadable } from './heal/make-readable.ts';
import type { TableRows } from './report.ts';
import { compareRows } from './score.ts';
import type { SnapshotImages } from './snapshot-images.ts';

/** The damaged database as it can be read, from copies of its own: what candidates are compared with. */
export interface DamagedCopies {
  readonly check: DatabaseCheckResult;
  readonly assessment: Omit<Assessment, 'hasSnapshot'>;
  readonly yardstick: Yardstick;
  /** Null when no schema can be read, with the WAL or without. */
  compare(candidate: string, signal: AbortSignal): TableRows[] | null;
}

/** What can be read once page 1 is one again; null where the snapshots cannot help. */
async function readableCopy(
  pristine: string,
  directory: string,
  images: SnapshotImages,
  activity: Activity,
): Promise<string | null> {
  const newest = await images.newest(activity);
  if (newest === null) return null;
  const copy = await copyFamilyAside(pristine, directory, ['-wal', '-journal'], activity);
  try {
    await makeReadable(copy, newest.image, newest.snapshot.database);
    return copy;
  } catch (error) {
    activity.signal.throwIfAborted();
    activity.warn(`Nothing of the damaged file can be read: ${messageOf(error)}`);
    return null;
  }
}

/** @param pristine a copy of the family that nothing opens */
export async function openDamagedCopies(
  pristine: string,
  directory: string,
  images: SnapshotImages | null,
  activity: Activity,
): Promise<DamagedCopies> {
  const hasWal = ((await bytesOf(`${pristine}-wal`)) ?? 0) > 0;
  const hasJournal = ((await bytesOf(`${pristine}-journal`)) ?? 0) > 0;
  const whole = join(directory, 'damaged');
  const reference = await copyFamilyAside(pristine, whole, ['-wal', '-journal'], activity);
  const check = checkDatabase(reference, 'full');
  const yardstick = measure(reference);
  const { schema } = yardstick;
  const damage = schema === null ? null : readDamage(check.messages, schema);
  const references = [reference];
  if (schema === null && (hasWal || hasJournal)) {
    references.push(await copyFamilyAside(pristine, join(directory, 'alone'), [], activity));
  }
  if (schema === null && images !== null) {
    const readable = await readableCopy(pristine, join(directory, 'readable'), images, activity);
    if (readable !== null) references.push(readable);
  }
  const damagedTables = new Set(damage?.lasting ?? []);
  // A check that found its fill has not looked at every table: any may end early.
  const anyMayEnd = check.messages.length >= CHECK_MESSAGES_MAX;
  return {
    check,
    yardstick,
    assessment: { messages: check.messages, damage, hasWal, hasJournal },
    compare(candidate, signal) {
      for (const each of references) {
        const rows = compareRows(candidate, each, damagedTables, signal);
        if (rows === null) continue;
        return anyMayEnd ? rows.map((table) => ({ ...table, readToEnd: false })) : rows;
      }
      return null;
    },
  };
}
