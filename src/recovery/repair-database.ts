import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { listQuarantine, quarantineFamilyByCopy } from '../files/quarantine/quarantine.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { copyFamily, type FamilyCopy } from '../sqlite/copy-family.ts';
import type { FamilyStat } from '../sqlite/family.ts';
import type { JournalMode } from '../sqlite/header.ts';
import { type Choice, type ChosenCandidate, chooseCandidate } from './choose-candidate.ts';
import { openDamagedCopies } from './damaged-copies.ts';
import { readHeader } from './harmless-check.ts';
import { healQuickly } from './heal-quickly.ts';
import { installCandidate } from './install-candidate.ts';
import { keepRejects } from './keep-rejects.ts';
import { type LossPolicy, objectionTo } from './loss-policy.ts';
import { ownFamily } from './own-family.ts';
import type { RecoveryReport } from './report.ts';
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
  readonly policy: LossPolicy;
  /** Of the family that the check found damaged. */
  readonly fingerprint: string;
  /** What the check said. */
  readonly messages: readonly string[];
  /** It passes its checks, and yet was found to have rotted. */
  readonly rotten: boolean;
  readonly dryRun: boolean;
}

export interface Repair extends Choice {
  /** False in a dry run, when nothing passed, and when the policy objects. */
  readonly installed: boolean;
  /** True when the copy turned out sound: there is nothing to repair. */
  readonly sound: boolean;
  /** Why the policy does not let the chosen one be installed, as half a sentence. */
  readonly objection: string | null;
  readonly quarantineId: string | null;
  /** Rows that salvage found and put into no table, kept beside the quarantined family. */
  readonly rejects?: RecoveryReport['rejects'];
}

export async function journalModeOf(
  pristine: string,
  { database, snapshots }: Pick<RepairRequest, 'database' | 'snapshots'>,
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

/** What a repair is chosen by: nothing of it touches the database itself. */
export type ChoiceRequest = Pick<
  RepairRequest,
  'database' | 'snapshots' | 'scratchDirectory' | 'rotten'
> & {
  /** Builds every candidate that applies, even beyond one that loses nothing. */
  readonly all: boolean;
};

/** Builds and judges candidates for a copy of the family; `sound` when the copy needs none. */
export async function chooseRepair(
  request: ChoiceRequest,
  { path, stat: found }: FamilyCopy,
  activity: Activity,
): Promise<Choice & { sound: boolean }> {
  const { database, snapshots, scratchDirectory } = request;
  const images =
    snapshots === null
      ? null
      : new SnapshotImages(snapshots, database, join(scratchDirectory, 'images'));
  const views = join(scratchDirectory, 'views');
  const pristine = await ownFamily(path, join(scratchDirectory, 'family'), activity);
  const damaged = await openDamagedCopies(pristine, views, images, activity);
  if (damaged.check.ok && !request.rotten)
    return { sound: true, chosen: null, passed: [], onlyDoubtful: false, tried: [] };
  const context = {
    assessment: { ...damaged.assessment, hasSnapshot: images !== null },
    pristine,
    found,
    journalMode: await journalModeOf(pristine, request),
    images,
    activity,
  };
  const directory = join(scratchDirectory, 'candidates');
  return { sound: false, ...(await chooseCandidate(context, damaged, directory, request.all)) };
}

async function install(
  request: RepairRequest,
  chosen: ChosenCandidate,
  expected: FamilyStat,
  clock: Clock,
  activity: Activity,
): Promise<string | null> {
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
      expected,
    },
    clock,
    activity,
  );
}

/** The short way where it does, else every candidate that may do. */
async function choose(
  request: RepairRequest,
  clock: Clock,
  activity: Activity,
): Promise<{ choice: Choice & { sound: boolean }; copy: FamilyCopy }> {
  const { database, snapshots, scratchDirectory, dryRun, messages, policy } = request;
  if (snapshots !== null && !request.rotten && !dryRun) {
    const about = {
      database,
      snapshots,
      messages,
      scratchDirectory: join(scratchDirectory, 'quick'),
    };
    const healed = await healQuickly(about, activity, clock);
    const objection =
      healed === null ? null : objectionTo(healed.choice.chosen!, false, policy, clock.nowMs());
    // What policy objects to may be had in a way that it does not object to.
    if (healed !== null && objection === null) {
      return { ...healed, choice: { ...healed.choice, sound: false } };
    }
    await rm(about.scratchDirectory, { recursive: true, force: true });
  }
  const pristine = join(scratchDirectory, 'pristine');
  await mkdir(pristine, { recursive: true, mode: 0o700 });
  const copy = await copyFamily(database, pristine, { clock, signal: activity.signal });
  return { choice: await chooseRepair({ ...request, all: dryRun }, copy, activity), copy };
}

/**
 * The damaged family is kept: by the swap that replaces it, or, where nothing replaces it, as a copy. Until then it
 * stands where it was, and only copies are opened.
 * @throws TARGET_BUSY, BUSY when somebody uses the database; TIMEOUT; NO_SPACE and other errors of the disk. In every
 *   case the database is as it was.
 */
export async function repairDatabase(
  request: RepairRequest,
  clock: Clock,
  activity: Activity,
): Promise<Repair> {
  const { choice, copy } = await choose(request, clock, activity);
  const { chosen, onlyDoubtful } = choice;
  const objection =
    chosen === null ? null : objectionTo(chosen, onlyDoubtful, request.policy, clock.nowMs());
  if (request.dryRun) return { ...choice, objection, installed: false, quarantineId: null };
  if (chosen === null || objection !== null) {
    activity.progress({ phase: 'quarantine' });
    const quarantineId = await quarantineOnce(request, clock, activity);
    return { ...choice, objection, installed: false, quarantineId };
  }
  const quarantineId = await install(request, chosen, copy.stat, clock, activity);
  const rejects =
    quarantineId === null
      ? null
      : await keepRejects(request.stateDirectory, quarantineId, chosen, activity);
  return { ...choice, objection, installed: true, quarantineId, rejects };
}
