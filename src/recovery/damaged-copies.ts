import { join } from 'node:path';
import type { Activity } from '../kernel/activity.ts';
import { checkDatabase, type DatabaseCheckResult } from '../sqlite/database-check.ts';
import type { Assessment } from './candidates/candidate.ts';
import { readDamage } from './damage.ts';
import { bytesOf, copyFamilyAside } from './family-copies.ts';
import { measure, type Yardstick } from './gates.ts';
import type { TableRows } from './report.ts';
import { compareRows } from './score.ts';

/** The damaged database as it can be read, from copies of its own: what candidates are compared with. */
export interface DamagedCopies {
  readonly check: DatabaseCheckResult;
  readonly assessment: Omit<Assessment, 'hasSnapshot'>;
  readonly yardstick: Yardstick;
  /** Null when no schema can be read, with the WAL or without. */
  compare(candidate: string, signal: AbortSignal): TableRows[] | null;
}

/** @param pristine a copy of the family that nothing opens */
export async function openDamagedCopies(
  pristine: string,
  directory: string,
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
  const damagedTables = new Set(damage?.lasting ?? []);
  return {
    check,
    yardstick,
    assessment: { messages: check.messages, damage, hasWal, hasJournal },
    compare(candidate, signal) {
      for (const each of references) {
        const rows = compareRows(candidate, each, damagedTables, signal);
        if (rows !== null) return rows;
      }
      return null;
    },
  };
}
