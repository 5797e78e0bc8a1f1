import { join } from 'node:path';
import type { Activity } from '../kernel/activity.ts';
import { type Clock, sleep } from '../kernel/clock.ts';
import { HoldfastError } from '../kernel/errors.ts';
import type { CheckLevel } from '../sqlite/database-check.ts';
import type { DatabaseUser } from '../sqlite/database-users.ts';
import { statFamily } from '../sqlite/family.ts';
import { databaseFingerprint } from '../sqlite/fingerprint.ts';
import { isConstraintOnly } from '../sqlite/integrity-messages.ts';
import { checkHarmlessly, type HarmlessCheck } from './harmless-check.ts';
import { findRot } from './heal/find-rot.ts';
import { lostSince } from './last-look.ts';
import type { LastLook } from './last-look-schema.ts';
import { findRegression } from './regression.ts';
import type { DatabaseSnapshot, SnapshotDatabases } from './snapshot-databases.ts';

/** What state a database is in, found out without changing anything about it. */

export type Condition =
  | 'ok'
  | 'corrupt'
  | 'regressed'
  | 'busy'
  | 'encrypted'
  | 'missing'
  /** Neither sound nor known to be damaged: no rights, a format of the future, a disk that fails to read. */
  | 'unreadable';

export interface DatabaseAssessment {
  readonly condition: Condition;
  /** One sentence. */
  readonly reason: string;
  readonly messages: readonly string[];
  /** Of the files that were looked at. */
  readonly fingerprint: string;
  /** Corrupt although it passes its checks: it differs from a snapshot since which nothing was written. */
  readonly rotten?: true;
}

export interface AssessRequest {
  readonly path: string;
  readonly level: CheckLevel;
  /** A path of its own; made and removed again. */
  readonly scratchDirectory: string;
  /** The newest sound snapshot that says what the database must at least hold; null without one. */
  readonly baseline: DatabaseSnapshot | null;
  readonly snapshots: SnapshotDatabases | null;
  /** Of the last check, where it still counts. */
  readonly look?: LastLook | null;
}

const TRIES_MAX = 3;
const RETRY_DELAY_MS = 250;

const named = (users: readonly DatabaseUser[]): string =>
  users.map(({ command, pid }) => `${command} (${pid})`).join(', ');

/** Checks until the result is one of a state that stood still. */
async function checkSteadily(
  request: AssessRequest,
  activity: Activity,
  clock: Clock,
): Promise<HarmlessCheck | null> {
  const { path, level, scratchDirectory } = request;
  for (let attempt = 1; attempt <= TRIES_MAX; attempt += 1) {
    activity.signal.throwIfAborted();
    if (attempt > 1) await sleep(clock, RETRY_DELAY_MS, activity.signal);
    const directory = join(scratchDirectory, `try-${attempt}`);
    try {
      const found = await checkHarmlessly(path, level, directory, activity, clock);
      if (found.stable && found.check.outcome !== 'busy') return found;
    } catch (error) {
      if (!(error instanceof HoldfastError && error.code === 'BUSY')) throw error;
    }
  }
  return null;
}

async function conditionOf(
  request: AssessRequest,
  { check, users, fingerprint, header }: HarmlessCheck,
  activity: Activity,
): Promise<DatabaseAssessment> {
  const { messages, outcome } = check;
  const first = messages[0] ?? '';
  const found = (condition: Condition, reason: string): DatabaseAssessment => ({
    condition,
    reason,
    messages,
    fingerprint,
  });
  if (outcome === 'encrypted') {
    return found('encrypted', 'the file looks encrypted; nothing in it can be checked or repaired');
  }
  if (outcome === 'missing') return found('missing', 'the file is gone');
  if (outcome === 'unreadable' || outcome === 'busy') {
    // SQLite's words for a disk that fails say nothing of how.
    return found('unreadable', check.thrown === undefined ? first : `${check.thrown}: ${first}`);
  }
  if (outcome === 'corrupt' && !isConstraintOnly(messages)) {
    if (users.length === 0) return found('corrupt', first);
    return found('busy', `damaged (${first}), but in use by ${named(users)}`);
  }
  const { path, baseline, snapshots, look = null } = request;
  // As expensive as the check itself, which was to be thorough.
  if (check.level === 'full' && snapshots !== null && users.length === 0) {
    const rot = await findRot(path, snapshots, activity);
    if (rot !== null) return { ...found('corrupt', rot), messages: [rot], rotten: true };
  }
  if (look !== null && users.length === 0) {
    const lost = await lostSince(path, await statFamily(path), look);
    if (lost !== null) return { ...found('regressed', lost), messages: [lost] };
  }
  // While its application runs, the application has already taken this state for the truth.
  if (baseline !== null && snapshots !== null && users.length === 0) {
    const step = await findRegression(path, header, baseline, snapshots, activity);
    if (step !== null) return { ...found('regressed', step), messages: [step] };
  }
  if (messages.length === 0) return found('ok', `passed the ${check.level} check`);
  return found('ok', `sound, but rows break constraints: ${first}`);
}

export async function assessDatabase(
  request: AssessRequest,
  activity: Activity,
  clock: Clock,
): Promise<DatabaseAssessment> {
  const { path } = request;
  const stat = await statFamily(path);
  if (stat.main === null) {
    const reason = 'the file is gone';
    return { condition: 'missing', reason, messages: [reason], fingerprint: 'missing' };
  }
  const steady = await checkSteadily(request, activity, clock);
  if (steady !== null) return conditionOf(request, steady, activity);
  const reason = 'it is locked or written to all the time';
  const fingerprint = await databaseFingerprint(path);
  return { condition: 'busy', reason, messages: [reason], fingerprint };
}
