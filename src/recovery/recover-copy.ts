import { link, lstat, mkdir, open, realpath, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory, syncFile } from '../files/durable.ts';
import { durableStep } from '../files/durable-steps.ts';
import { requireFreeSpace } from '../files/free-space.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot, systemCode } from '../kernel/errors.ts';
import { copyFamily, type FamilyCopy } from '../sqlite/copy-family.ts';
import { looksEncrypted } from '../sqlite/encrypted-look.ts';
import { settle } from './candidates/settle.ts';
import type { ChosenCandidate } from './choose-candidate.ts';
import { copyFamilyAside } from './family-copies.ts';
import { describeLoss } from './finding.ts';
import { lossOf } from './loss-policy.ts';
import { chooseRepair, journalModeOf } from './repair-database.ts';
import type { CandidateReport, TableRows } from './report.ts';
import type { SnapshotDatabases } from './snapshot-databases.ts';

/** The best that can be had of any SQLite file, written to another one; the original is only read. */

export interface RecoverCopyRequest {
  /** Absolute. */
  readonly database: string;
  /** Absolute; must not exist, its directory must. */
  readonly target: string;
  /** A directory of its own, on the target's file system. */
  readonly scratchDirectory: string;
  /** Null without snapshots of it. */
  readonly snapshots: SnapshotDatabases | null;
  /** Builds and judges what could be had, and writes nothing. */
  readonly dryRun: boolean;
}

export interface RecoverCopyResult {
  /** Real, absolute. */
  readonly database: string;
  readonly target: string;
  readonly written: boolean;
  /** The candidate that was (or, in a dry run, would be) written; null for a database that is sound as it is. */
  readonly rung: string | null;
  /** One sentence. */
  readonly reason: string;
  /** Rows known to be lost; `lossExact` false when there may have been more. */
  readonly lostRows: number;
  readonly lossExact: boolean;
  readonly candidates: readonly CandidateReport[];
  readonly rows: readonly TableRows[];
  readonly snapshot: { readonly id: string; readonly capturedAt: string } | null;
}

/** Copies of the family, a candidate and a snapshot's image at the same time. */
const COPIES_AT_ONCE = 4;

async function requireTarget(target: string): Promise<void> {
  const taken = await lstat(target).then(
    () => true,
    (error: unknown) => {
      if (systemCode(error) === 'ENOENT') return false;
      throw error;
    },
  );
  if (!taken) return;
  throw cannot('TARGET_NOT_EMPTY', 'recover to', target, 'something stands there', {
    hint: 'Name a file that does not exist yet.',
  });
}

/** The file itself, whatever symlinks lead to it. */
async function requireDatabase(path: string): Promise<{ path: string; bytes: number }> {
  const found = await stat(path).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw cannot('PATH_NOT_FOUND', 'recover', path, 'there is no such file', {
      hint: 'If a snapshot holds it: holdfast restore ID --to DIR --path LOGICAL_PATH.',
    });
  });
  if (found.isFile()) return { path: await realpath(path), bytes: found.size };
  throw cannot('INVALID_PARAMS', 'recover', path, 'it is no file', {
    hint: 'Name the database file itself.',
  });
}

/** A sound database as one file: its WAL or journal is applied to the copy. */
async function soundCopy(
  copy: FamilyCopy,
  { database, snapshots, scratchDirectory }: RecoverCopyRequest,
  activity: Activity,
): Promise<string> {
  const directory = join(scratchDirectory, 'sound');
  const path = await copyFamilyAside(copy.path, directory, ['-wal', '-journal'], activity);
  settle(path, await journalModeOf(copy.path, { database, snapshots }));
  return path;
}

const WITHOUT_LINKS: ReadonlySet<string | undefined> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP']);

/** Gives the file in scratch its name, whole and durable, or not at all; never over something that appeared meanwhile. */
async function publish(from: string, target: string): Promise<void> {
  const handle = await open(from, 'r+');
  try {
    await syncFile(handle, from);
  } finally {
    await handle.close();
  }
  try {
    await durableStep('link', target, () => link(from, target));
  } catch (error) {
    if (systemCode(error) === 'EEXIST') await requireTarget(target);
    if (!WITHOUT_LINKS.has(systemCode(error))) throw error;
    await requireTarget(target);
    await durableStep('rename', target, () => rename(from, target));
  }
  await syncDirectory(dirname(target));
}

function requireChosen(
  chosen: ChosenCandidate | null,
  tried: readonly CandidateReport[],
  { database, copy }: { readonly database: string; readonly copy: string },
): ChosenCandidate {
  if (chosen !== null) return chosen;
  if (looksEncrypted(copy)) {
    throw cannot('ENCRYPTED', 'recover', database, 'the file looks encrypted', {
      hint: 'Only its application can read it.',
    });
  }
  throw cannot('RECOVERY_FAILED', 'recover', database, 'nothing that can be made of it is sound', {
    hint: 'The file is untouched. A snapshot of it may be older than any that was tried: holdfast snapshots.',
    details: { candidates: tried },
  });
}

/**
 * @throws PATH_NOT_FOUND, TARGET_NOT_EMPTY, NO_SPACE, BUSY while it is written to, ENCRYPTED, RECOVERY_FAILED with
 *   the candidates in `details`
 */
export async function recoverCopy(
  request: RecoverCopyRequest,
  activity: Activity,
  clock: Clock,
): Promise<RecoverCopyResult> {
  const { target, scratchDirectory, snapshots, dryRun } = request;
  await requireTarget(target);
  const { path: database, bytes } = await requireDatabase(request.database);
  await requireFreeSpace(dirname(target), bytes * COPIES_AT_ONCE, 'recover to');
  const pristine = join(scratchDirectory, 'pristine');
  await mkdir(pristine, { recursive: true, mode: 0o700 });
  activity.progress({ phase: 'copy', currentFile: database });
  const copy = await copyFamily(database, pristine, { clock, signal: activity.signal });
  const about = { database, snapshots, scratchDirectory, rotten: false, all: dryRun };
  const { sound, chosen, tried } = await chooseRepair(about, copy, activity);
  const result = { database, target, written: !dryRun, candidates: tried };
  if (sound) {
    if (!dryRun) await publish(await soundCopy(copy, request, activity), target);
    const reason = bytes === 0 ? 'the file is empty: nothing is in it' : 'sound as it is';
    const nothing = { lostRows: 0, lossExact: true, rows: [], snapshot: null };
    return { ...result, ...nothing, rung: null, reason };
  }
  const best = requireChosen(chosen, tried, { database, copy: copy.path });
  if (!dryRun) await publish(best.path, target);
  const { rows: lostRows, exact: lossExact } = lossOf(best);
  const { name, label, snapshot } = best;
  return {
    ...result,
    rung: name,
    reason: `${name}: ${label}${describeLoss(best)}`,
    lostRows,
    lossExact,
    rows: best.rows ?? [],
    snapshot: snapshot === null ? null : { id: snapshot.id, capturedAt: snapshot.capturedAt },
  };
}
