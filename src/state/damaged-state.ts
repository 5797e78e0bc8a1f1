import { access, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { removeDurably, renameDurably } from '../files/durable.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';

const SIDECAR_SUFFIXES = ['-wal', '-shm', '-journal'] as const;

/** Older sets are removed: a failing disk must not fill itself with evidence, one set per restart. */
export const DAMAGED_SETS_KEPT = 5;

/**
 * Renames a closed, damaged database to `<path>.damaged-<time>`, its sidecars to the matching names, so that
 * the set can still be opened as a database. Returns the new name of the main file.
 */
export async function setDamagedStateAside(path: string, clock: Clock): Promise<string> {
  const kept = await freeName(`${path}.damaged-${isoTime(clock.nowMs()).replaceAll(':', '')}`);
  // Sidecars first: were the main file renamed alone, a crash here would lay an old WAL over the new database.
  for (const suffix of SIDECAR_SUFFIXES) {
    if (await exists(`${path}${suffix}`)) {
      await renameDurably(`${path}${suffix}`, `${kept}${suffix}`);
    }
  }
  await renameDurably(path, kept);
  await removeOldSets(path);
  return kept;
}

async function freeName(wanted: string): Promise<string> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const candidate = attempt === 0 ? wanted : `${wanted}.${attempt}`;
    if (!(await exists(candidate))) return candidate;
  }
  return wanted;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function removeOldSets(path: string): Promise<void> {
  const prefix = `${basename(path)}.damaged-`;
  const names = (await readdir(dirname(path))).filter((name) => name.startsWith(prefix));
  const isSidecar = (name: string): boolean =>
    SIDECAR_SUFFIXES.some((suffix) => name.endsWith(suffix));
  const sets = names.filter((name) => !isSidecar(name)).sort();
  for (const old of sets.slice(0, Math.max(0, sets.length - DAMAGED_SETS_KEPT))) {
    for (const suffix of ['', ...SIDECAR_SUFFIXES]) {
      await removeDurably(join(dirname(path), `${old}${suffix}`));
    }
  }
}
