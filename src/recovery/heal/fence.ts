import type { FamilyStat } from '../../sqlite/family.ts';
import { fingerprintOf, type UndamagedFacts } from '../../sqlite/fingerprint.ts';
import { HEADER_BYTES, parseHeader } from '../../sqlite/header.ts';
import { readStart } from '../../sqlite/read-at.ts';
import type { ManifestDatabase } from '../../store/manifests/manifest.ts';
import type { DatabaseSnapshot } from '../snapshot-databases.ts';

/** File times move in ticks: a second write within one tick would not show. */
const TICK_MS = 25;

/** Snapshots of the same state are looked for no further back than this. */
const SNAPSHOTS_MAX = 50;

/** A header that holds together was written by SQLite: a write, not damage, is what changed its counters. */
function isHeaderWhole(path: string, { pageBytes }: ManifestDatabase): boolean {
  const header = parseHeader(readStart(path, HEADER_BYTES) ?? Buffer.alloc(0));
  return header?.pageBytes === pageBytes && header.changeCounter === header.versionValidFor;
}

/** What the header and the length said before damage, one alone or both. */
function undamagedFacts(path: string, { database }: DatabaseSnapshot): UndamagedFacts[] {
  const { changeCounter, pageBytes, pageCount } = database;
  const mainBytes = pageBytes * pageCount;
  if (isHeaderWhole(path, database)) return [{ mainBytes }];
  return [{ changeCounter }, { mainBytes }, { changeCounter, mainBytes }];
}

/**
 * True when the fingerprint proves that nothing was written since the snapshot was taken: whatever differs from it is
 * rot. Writing goes through the file's time; damage below the file system leaves it. The counters in the header and the
 * length may be part of the damage: then what they were is tried, where the time alone excludes a later write.
 * @param path a copy of the family that nothing has open, whose original has `stat`
 */
export function isUnwrittenSince(
  path: string,
  stat: FamilyStat,
  snapshot: DatabaseSnapshot,
): boolean {
  if (stat.main === null) return false;
  const { fingerprint } = snapshot.database;
  if (fingerprintOf(path, stat) === fingerprint) return true;
  const writtenMs = Number(stat.main.mtimeNs / 1_000_000n);
  if (writtenMs > Date.parse(snapshot.capturedAt) - TICK_MS) return false;
  return undamagedFacts(path, snapshot).some(
    (facts) => fingerprintOf(path, stat, facts) === fingerprint,
  );
}

/**
 * The newest snapshots between which and now nothing was written, the oldest of them first: rot that no check sees
 * may have got into the later ones.
 */
export async function unwrittenSnapshots(
  path: string,
  stat: FamilyStat,
  snapshots: AsyncIterable<DatabaseSnapshot>,
): Promise<DatabaseSnapshot[]> {
  const found: DatabaseSnapshot[] = [];
  for await (const snapshot of snapshots) {
    if (found.length >= SNAPSHOTS_MAX || !isUnwrittenSince(path, stat, snapshot)) break;
    found.push(snapshot);
  }
  return found.reverse();
}
