import type { SourceSettings } from '../config/settings.ts';
import type {
  MethodResult,
  ScheduleState,
  SourceFacts,
  StatusWarning,
} from '../protocol/method-map.ts';

export type SourceHealth = MethodResult<'health.report'>['sources'][number];

/** Room for a snapshot to be taken before a pending change counts as forgotten. */
const CHANGE_GRACE_MS = 30 * 60_000;
const SCHEDULE_GRACE_MS = 60 * 60_000;
/** A proof that snapshots restore is worth little after this. */
const VERIFIED_AGE_MS_MAX = 35 * 24 * 3_600_000;

const CRITICAL: ReadonlySet<string> = new Set(['NEEDS_OPERATOR', 'NO_GOOD_SNAPSHOT']);

/**
 * How well one source is protected just now. All of it is warnings: old snapshots are a reason to call somebody,
 * not to restart the daemon.
 */
export function sourceHealth(
  source: SourceSettings,
  facts: SourceFacts,
  schedules: readonly ScheduleState[],
  nowMs: number,
): SourceHealth {
  const age = (at: string | null | undefined): number | null =>
    at == null ? null : Math.max(Math.round(nowMs - Date.parse(at)), 0);
  const found: [code: string, message: string][] = [
    ...snapshotFindings(facts),
    ...changeFindings(facts, source, age(facts.pendingChangeSince)),
    ...scheduleFindings(schedules, nowMs),
    ...verificationFindings(age(facts.lastVerifiedAt), facts),
    ...drillFindings(facts),
  ];
  const warnings: StatusWarning[] = found.map(([code, message]) => ({
    code,
    message: `${source.name}: ${message}`,
    sourceId: source.id,
  }));
  return {
    sourceId: source.id,
    status: warnings.some(({ code }) => CRITICAL.has(code))
      ? 'critical'
      : warnings.length > 0
        ? 'warning'
        : 'ok',
    lastSnapshotAgeMs: age(facts.lastSnapshot?.at),
    lastGoodSnapshotAgeMs: age(facts.lastGoodSnapshotAt),
    lastVerifiedAgeMs: age(facts.lastVerifiedAt),
    lastDrillAgeMs: age(facts.lastDrillAt),
    lastDrillOk: facts.lastDrillOk,
    needsOperator: facts.needsOperator,
    warnings,
  };
}

function snapshotFindings(facts: SourceFacts): [string, string][] {
  const findings: [string, string][] = [];
  if (facts.needsOperator) {
    const names = facts.databases
      .filter((database) => database.state === 'needs-operator' || database.state === 'regressed')
      .map(({ path }) => path);
    findings.push([
      'NEEDS_OPERATOR',
      `a database needs a person: ${names.join(', ') || 'see status'}`,
    ]);
  }
  if (facts.lastGoodSnapshotAt === null) {
    findings.push(['NO_GOOD_SNAPSHOT', 'there is no good snapshot yet']);
  } else if (facts.lastSnapshot?.good === false) {
    findings.push([
      'LAST_SNAPSHOT_BAD',
      'a database in the newest snapshot did not pass its check',
    ]);
  }
  return findings;
}

function changeFindings(
  facts: SourceFacts,
  { watch }: SourceSettings,
  pendingAgeMs: number | null,
): [string, string][] {
  const findings: [string, string][] = [];
  if (watch.enabled && facts.watch.mode === 'off') {
    findings.push(['WATCH_OFF', `changes are not noticed: ${facts.watch.reason ?? 'unknown why'}`]);
  }
  const allowedMs = Math.max(watch.maxWaitMs, watch.minGapMs) + CHANGE_GRACE_MS;
  if (watch.enabled && pendingAgeMs !== null && pendingAgeMs > allowedMs) {
    findings.push([
      'CHANGE_UNSAVED',
      `changes since ${facts.pendingChangeSince} are in no snapshot`,
    ]);
  }
  return findings;
}

function scheduleFindings(schedules: readonly ScheduleState[], nowMs: number): [string, string][] {
  return schedules
    .filter(({ enabled, nextDueAt }) => {
      return enabled && nextDueAt !== null && nowMs - Date.parse(nextDueAt) > SCHEDULE_GRACE_MS;
    })
    .map(({ id, nextDueAt }) => ['SCHEDULE_OVERDUE', `schedule ${id} was due at ${nextDueAt}`]);
}

function drillFindings({ lastDrillAt, lastDrillOk }: SourceFacts): [string, string][] {
  if (lastDrillOk !== false) return [];
  return [
    ['DRILL_FAILED', `the newest snapshot did not come back whole in the drill of ${lastDrillAt}`],
  ];
}

function verificationFindings(ageMs: number | null, facts: SourceFacts): [string, string][] {
  if (facts.lastGoodSnapshotAt === null) return [];
  if (ageMs === null) return [['NEVER_VERIFIED', 'no snapshot has been verified yet']];
  if (ageMs <= VERIFIED_AGE_MS_MAX) return [];
  return [['VERIFICATION_OLD', `the last verification was ${facts.lastVerifiedAt}`]];
}
