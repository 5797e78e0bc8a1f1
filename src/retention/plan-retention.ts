import { NO_RULES } from '../config/retention-policy.ts';
import type {
  KeepRules,
  RetentionOrigin,
  RetentionSettings,
} from '../config/retention-settings.ts';
import { type LocalTime, localClock } from './calendar.ts';
import {
  isCheckpointOrigin,
  isRegularOrigin,
  newestFirst,
  type RetentionCandidate,
  type RetentionGuards,
  type RetentionPlan,
  type RetentionVerdict,
} from './candidate.ts';
import { guardCheckpoints, guardRegular } from './guard-rules.ts';
import { applyRules, type Keep } from './keep-rules.ts';

/**
 * Which snapshots of one source stay, each with every reason, and which go. Pure: the same candidates in any order
 * give the same plan, and a plan of what a plan kept removes nothing more. Time grows as sorting does.
 *
 * Counted together (a lane) are only snapshots of the same origin, type and goodness: no flood of automatic ones
 * pushes out a manual one, no row of bad ones the good ones before them. Pinned and future-dated ones stay, and
 * are not counted.
 */
export function planRetention(
  candidates: readonly RetentionCandidate[],
  policy: RetentionSettings,
  nowMs: number,
  guards: RetentionGuards,
): RetentionPlan {
  const sorted = [...candidates].sort(newestFirst);
  const reasons = new Map<string, string[]>();
  const keep: Keep = ({ id }, reason) => {
    const known = reasons.get(id);
    if (known === undefined) reasons.set(id, [reason]);
    else known.push(reason);
  };
  for (const candidate of sorted) {
    if (candidate.pinned) keep(candidate, 'pinned');
    if (guards.inUse.has(candidate.id)) keep(candidate, 'in use');
    if (candidate.capturedAtMs > nowMs) keep(candidate, 'future-dated');
  }
  const past = sorted.filter(({ capturedAtMs }) => capturedAtMs <= nowMs);
  const regular = past.filter(({ origin }) => isRegularOrigin(origin));
  guardRegular(regular, policy, nowMs, keep);
  guardCheckpoints(
    past.filter(({ origin }) => isCheckpointOrigin(origin)),
    guards,
    nowMs,
    keep,
  );
  const localTime = rememberedTimes(policy.timeZone);
  for (const lane of lanesOf(past)) {
    const rules = rulesFor(lane[0]!.origin, policy);
    if (rules === null) for (const candidate of lane) keep(candidate, 'origin');
    else applyRules(lane, { rules, pick: policy.pick, nowMs, localTime }, keep);
  }
  return verdicts(sorted, reasons);
}

/** The clocks are asked once for each snapshot, however many rules want to know. */
function rememberedTimes(timeZone: string): (candidate: RetentionCandidate) => LocalTime {
  const clock = localClock(timeZone);
  const known = new Map<string, LocalTime>();
  return ({ id, capturedAtMs }) => {
    const remembered = known.get(id);
    if (remembered !== undefined) return remembered;
    const time = clock(capturedAtMs);
    known.set(id, time);
    return time;
  };
}

/** Those that are counted together, each lane newest first. */
function lanesOf(past: readonly RetentionCandidate[]): Iterable<RetentionCandidate[]> {
  const lanes = new Map<string, RetentionCandidate[]>();
  for (const candidate of past.filter(({ pinned }) => !pinned)) {
    const { origin, type, good } = candidate;
    const name = isCheckpointOrigin(origin) ? 'checkpoint' : `${origin} ${type} ${good}`;
    const lane = lanes.get(name);
    if (lane === undefined) lanes.set(name, [candidate]);
    else lane.push(candidate);
  }
  return lanes.values();
}

/** Null: all of this origin stay. */
function rulesFor(origin: string, policy: RetentionSettings): KeepRules | null {
  if (isCheckpointOrigin(origin)) {
    return policy.preRestore === null ? null : { ...NO_RULES, ...policy.preRestore };
  }
  const own = policy.origins[origin as RetentionOrigin];
  return own === undefined ? policy : own;
}

function verdicts(
  sorted: readonly RetentionCandidate[],
  reasons: ReadonlyMap<string, readonly string[]>,
): RetentionPlan {
  const keep: RetentionVerdict[] = [];
  const remove: RetentionVerdict[] = [];
  for (const { id, origin } of sorted) {
    const why = reasons.get(id);
    if (why === undefined) remove.push({ id, reasons: [`no rule for "${origin}" keeps it`] });
    else keep.push({ id, reasons: why });
  }
  return { keep, remove: remove.reverse() };
}
