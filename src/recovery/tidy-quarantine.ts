import { freeBytes } from '../files/free-space.ts';
import {
  expiredQuarantine,
  listQuarantine,
  purgeQuarantine,
  type QuarantineBounds,
  type QuarantineRecord,
} from '../files/quarantine/quarantine.ts';
import type { Clock } from '../kernel/clock.ts';
import { CheckLedger } from './check-ledger.ts';
import type { RecoveryReport } from './report.ts';
import { listReports } from './report-store.ts';

/** Rows that recovery could not save may still be had from the damaged file, by a person or by a later version. */
function isPartial({ state, rows, candidates, rung }: RecoveryReport): boolean {
  if (state !== 'recovered') return false;
  const score = candidates.findLast(
    (each) => each.candidate === rung && each.score !== null,
  )?.score;
  const lost = (score?.notKept ?? 1) + (score?.missing ?? 0);
  return lost > 0 || rows.length === 0 || rows.some(({ readToEnd }) => !readToEnd);
}

/** Ids of what may be the only copy of something: of databases that wait for a person, or lost rows in a repair. */
async function unrecovered(
  stateDirectory: string,
  records: readonly QuarantineRecord[],
): Promise<Set<string>> {
  const ledger = await CheckLedger.open(stateDirectory);
  const reports = await listReports(stateDirectory);
  const partial = new Set(reports.filter(isPartial).map(({ quarantineId }) => quarantineId));
  const waits = (target: string): boolean => {
    const state = ledger.get(target)?.state;
    return state !== undefined && !['ok', 'skipped', 'recovered', 'busy'].includes(state);
  };
  const kept = records.filter(
    ({ id, items }) => partial.has(id) || items.some(({ target }) => waits(target)),
  );
  return new Set(kept.map(({ id }) => id));
}

/** Removes what the bounds do not let stay, oldest first, but nothing unrecovered. Returns the ids. */
export async function tidyQuarantine(
  stateDirectory: string,
  bounds: QuarantineBounds,
  clock: Clock,
): Promise<string[]> {
  const records = await listQuarantine(stateDirectory);
  if (records.length === 0) return [];
  const expired = expiredQuarantine(records, bounds, {
    nowMs: clock.nowMs(),
    freeBytes: await freeBytes(stateDirectory),
    keep: await unrecovered(stateDirectory, records),
  });
  for (const id of expired) await purgeQuarantine(stateDirectory, id, clock);
  return expired;
}
