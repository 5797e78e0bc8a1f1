import { parseRetention } from '../../config/retention-policy.ts';
import type { RetentionSettings } from '../../config/retention-settings.ts';
import { NO_GUARDS, type RetentionCandidate, type RetentionGuards } from '../candidate.ts';
import { planRetention } from '../plan-retention.ts';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** One good full snapshot of a schedule; its id says its moment unless another is given. */
export function taken(
  at: string | number,
  changes: Partial<RetentionCandidate> = {},
): RetentionCandidate {
  const capturedAtMs = typeof at === 'number' ? at : Date.parse(at);
  return {
    id: new Date(capturedAtMs).toISOString().slice(0, 16),
    capturedAtMs,
    origin: 'schedule',
    type: 'full',
    good: true,
    proven: false,
    pinned: false,
    ...changes,
  };
}

/** `count` snapshots, the newest first, `stepMs` apart. */
export function series(
  newest: string,
  count: number,
  stepMs: number,
  changes: Partial<RetentionCandidate> = {},
): RetentionCandidate[] {
  const newestMs = Date.parse(newest);
  return Array.from({ length: count }, (_, index) => taken(newestMs - index * stepMs, changes));
}

/** A policy as people write it, with the least floor unless it says otherwise, so that rules alone show. */
export function policyOf(written: Record<string, unknown> | string): RetentionSettings {
  const policy = parseRetention(typeof written === 'string' ? written : { minGood: 1, ...written });
  if (policy === null) throw new Error('This keeps everything');
  return policy;
}

export interface Planned {
  readonly kept: string[];
  readonly removed: string[];
  reasons(id: string): readonly string[];
}

/** The plan for snapshots, right after the newest of them unless a time is given. */
export function plan(
  candidates: readonly RetentionCandidate[],
  written: Record<string, unknown> | string | RetentionSettings,
  { now, ...guards }: Partial<RetentionGuards> & { now?: string } = {},
): Planned {
  const isCompiled = typeof written === 'object' && 'preRestore' in written && 'pick' in written;
  const policy = isCompiled
    ? (written as RetentionSettings)
    : policyOf(written as Record<string, unknown> | string);
  const newestMs = Math.max(...candidates.map(({ capturedAtMs }) => capturedAtMs));
  const nowMs = now === undefined ? newestMs + 1000 : Date.parse(now);
  const { keep, remove } = planRetention(candidates, policy, nowMs, { ...NO_GUARDS, ...guards });
  return {
    kept: keep.map(({ id }) => id),
    removed: remove.map(({ id }) => id),
    reasons: (id) => keep.find((verdict) => verdict.id === id)?.reasons ?? [],
  };
}
