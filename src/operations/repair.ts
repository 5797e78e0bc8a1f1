import { type RepairReport, repairRepository } from '../store/repository.ts';
import type { OperationContext } from './operation.ts';
import { LOCK_WAIT_MS } from './repository-access.ts';
import { repositoryKey } from './repository-key.ts';
import { verifyRefuted } from './verify-refuted.ts';

/** Saves what can be saved of the repository, and verifies anew the snapshots that were said to be damaged. */
export async function repairDamage(
  context: OperationContext,
  dryRun: boolean,
): Promise<Record<string, unknown>> {
  const { activity, settings, clock } = context;
  const key = await repositoryKey(settings);
  const options = { clock, key, dryRun, lockWaitMs: LOCK_WAIT_MS };
  const report = await repairRepository(settings.repositoryDirectory, options, activity);
  for (const warning of warningsOf(report)) activity.warn(warning);
  if (key !== null && !dryRun && changesHead(report)) activity.warn(ACCEPT_WARNING);
  const whole = new Set(
    report.snapshots.filter(({ state }) => state !== 'lost').map(({ snapshotId }) => snapshotId),
  );
  const cleared = dryRun ? [] : await verifyRefuted(context, (id) => whole.has(id));
  return { repair: report, snapshotsCleared: cleared };
}

/** A repair sees damage, and not whose: what somebody took away is told of until a person says that it is right so. */
const ACCEPT_WARNING =
  'What this encrypted repository has lost is told of as altered until: holdfast repository accept';

const changesHead = ({ manifestsLost, notesReplaced, keySlotsSetAside }: RepairReport): boolean =>
  manifestsLost.length + notesReplaced.length + keySlotsSetAside.length > 0;

function warningsOf({ dryRun, snapshots, manifestsLost, ...report }: RepairReport): string[] {
  const warnings: string[] = [];
  if (report.packsDamaged > 0) {
    const verb = dryRun ? 'can be' : 'were';
    warnings.push(
      `${report.packsDamaged} packs are damaged: ${report.recordsSaved} records ${verb} saved, ${report.recordsLost} are lost`,
    );
  }
  for (const { shortId, state, filesLosing, bytesLost } of snapshots.slice(0, 1000)) {
    if (state !== 'lost') continue;
    warnings.push(`Snapshot ${shortId} has lost ${bytesLost} bytes of ${filesLosing} files`);
  }
  for (const id of manifestsLost) warnings.push(`Snapshot ${id} is lost: its manifest is damaged`);
  for (const id of report.notesReplaced) {
    warnings.push(`The notes of snapshot ${id} could not be read: it has none now, and is pinned`);
  }
  for (const name of report.keySlotsSetAside) warnings.push(`keys/${name} is no key slot`);
  return warnings;
}
