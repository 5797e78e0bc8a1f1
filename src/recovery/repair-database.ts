import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { listQuarantine, quarantineFamilyByCopy } from '../files/quarantine/quarantine.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { copyFamily } from '../sqlite/copy-family.ts';
import type { FamilyStat } from '../sqlite/family.ts';
import type { JournalMode } from '../sqlite/header.ts';
import { type Choice, type ChosenCandidate, chooseCandidate } from './choose-candidate.ts';
import { openDamagedCopies } from './damaged-copies.ts';
import { readHeader } from './harmless-check.ts';
import { installCandidate } from './install-candidate.ts';
import type { SnapshotDatabases } from './snapshot-databases.ts';
import { SnapshotImages } from './snapshot-images.ts';

/** One damaged database: kept as it is, repaired on copies, replaced by the copy that lost least. */

export interface RepairRequest {
  readonly database: string;
  readonly stateDirectory: string;
  readonly scratchDirectory: string;
  readonly jobId: string | null;
  readonly sourceId: string;
  readonly forbiddenPaths: readonly string[];
  readonly snapshots: SnapshotDatabases | null;
  /** Of the family that the check found damaged. */
  readonly fingerprint: string;
  readonly dryRun: boolean;
}

export interface Repair extends Choice {
  /** False in a dry run, and when nothing passed. */
  readonly installed: boolean;
  /** True when the copy turned out sound: there is nothing to repair. */
  readonly sound: boolean;
  readonly quarantineId: string | null;
}

async function journalModeOf(
  pristine: string,
  { database, snapshots }: RepairRequest,
): Promise<JournalMode> {
  const header = await readHeader(pristine);
  if (header !== null) return header.journalMode;
  return (await snapshots?.newestSound(database))?.database.journalMode ?? 'rollback';
}

/** Once per state of the family: a repair that fails at every boot must not fill the disk. */
async function quarantineOnce(
  request: RepairRequest,
  clock: Clock,
  activity: Activity,
): Promise<string> {
  const { database: target, stateDirectory, jobId, sourceId, fingerprint } = request;
  const note = `damaged, as found before repair (fingerprint ${fingerprint})`;
  const known = (await listQuarantine(stateDirectory)).find(
    (record) =>
      record.reason === 'recovery' &&
      record.note === note &&
      record.items.some((item) => item.target === target),
  );
  if (known !== undefined) return known.id;
  const about = { stateDirectory, target, reason: 'recovery', jobId, sourceId, note } as const;
  return (await quarantineFamilyByCopy(about, clock, activity)).id;
}

function noteOf({ name, label }: ChosenCandidate): string {
  return `replaced by recovery: ${name}, ${label}`;
}

async function choose(
  request: RepairRequest,
  pristine: string,
  activity: Activity,
): Promise<Choice & { sound: boolean }> {
  const { database, snapshots, scratchDirectory } = request;
  const damaged = await openDamagedCopies(pristine, join(scratchDirectory, 'views'), activity);
  if (damaged.check.ok) return { sound: true, chosen: null, tried: [] };
  const images =
    snapshots === null
      ? null
      : new SnapshotImages(snapshots, database, join(scratchDirectory, 'images'));
  const context = {
    assessment: { ...damaged.assessment, hasSnapshot: images !== null },
    pristine,
    journalMode: await journalModeOf(pristine, request),
    images,
    activity,
  };
  const directory = join(scratchDirectory, 'candidates');
  return { sound: false, ...(await chooseCandidate(context, damaged, directory)) };
}

async function install(
  request: RepairRequest,
  chosen: ChosenCandidate,
  found: { readonly expected: FamilyStat; readonly quarantineId: string },
  clock: Clock,
  activity: Activity,
): Promise<string> {
  activity.progress({ phase: 'install' });
  const { stateDirectory, scratchDirectory, jobId, sourceId, forbiddenPaths, database } = request;
  return installCandidate(
    {
      stateDirectory,
      scratchDirectory,
      jobId,
      sourceId,
      forbiddenPaths,
      database,
      candidate: chosen.path,
      note: noteOf(chosen),
      ...found,
    },
    clock,
    activity,
  );
}

/**
 * @throws TARGET_BUSY, BUSY when somebody uses the database; TIMEOUT; NO_SPACE and other errors of the disk. In every
 *   case the database is as it was.
 */
export async function repairDatabase(
  request: RepairRequest,
  clock: Clock,
  activity: Activity,
): Promise<Repair> {
  const { database, scratchDirectory, dryRun } = request;
  activity.progress({ phase: 'quarantine' });
  const quarantineId = dryRun ? null : await quarantineOnce(request, clock, activity);
  const options = { clock, signal: activity.signal };
  const pristine = join(scratchDirectory, 'pristine');
  await mkdir(pristine, { recursive: true, mode: 0o700 });
  const { path, stat } = await copyFamily(database, pristine, options);
  const choice = await choose(request, path, activity);
  if (choice.chosen === null || quarantineId === null) {
    return { ...choice, installed: false, quarantineId };
  }
  const found = { expected: stat, quarantineId };
  const kept = await install(request, choice.chosen, found, clock, activity);
  return { ...choice, installed: true, quarantineId: kept };
}
