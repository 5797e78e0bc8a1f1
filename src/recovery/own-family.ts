import { join } from 'node:path';
import type { Activity } from '../kernel/activity.ts';
import { checkDatabase, type DatabaseCheckResult } from '../sqlite/database-check.ts';
import { bytesOf, copyFamilyAside } from './family-copies.ts';
import { measure } from './gates.ts';

/** A quick check: one finding for a page, where a full one has one for every row of it. */
function inspect(path: string): DatabaseCheckResult & { readonly schemaReads: boolean } {
  return { ...checkDatabase(path, 'quick'), schemaReads: measure(path).schema !== null };
}

function isLessDamaged(
  alone: ReturnType<typeof inspect>,
  whole: ReturnType<typeof inspect>,
): boolean {
  if (alone.ok || !alone.schemaReads) return false;
  if (!whole.schemaReads) return true;
  // All pages are looked at before anything is read that could end the check.
  return alone.messages.length < whole.messages.length;
}

/**
 * The family to repair from: the one that was found, or, where its WAL or journal only makes the damage worse, the
 * database file alone. A WAL that belongs to a file mends it, if anything; an older copy's tears it apart.
 * @param pristine a copy of the family that nothing opens
 */
export async function ownFamily(
  pristine: string,
  directory: string,
  activity: Activity,
): Promise<string> {
  const sidecars = ['-wal', '-journal'] as const;
  const sizes = await Promise.all(sidecars.map((suffix) => bytesOf(`${pristine}${suffix}`)));
  if (sizes.every((bytes) => (bytes ?? 0) === 0)) return pristine;
  const check = async (name: string, kept: typeof sidecars | readonly []) =>
    inspect(await copyFamilyAside(pristine, join(directory, name), kept, activity));
  const alone = await check('alone', []);
  const whole = await check('whole', sidecars);
  if (!isLessDamaged(alone, whole)) return pristine;
  return copyFamilyAside(pristine, join(directory, 'own'), [], activity);
}
