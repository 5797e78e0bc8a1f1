import { z } from 'zod';
import { cannot } from '../kernel/errors.ts';
import { objectOf } from './option.ts';
import { DAY_MS } from './options/option-shapes.ts';
import { retentionOptions } from './options/retention-options.ts';
import type { KeepRules, RetentionSettings } from './retention-settings.ts';

/** From what people write, presets included, to one policy. A compiled policy compiles to itself. */

/** Policies by name: those of people who have not thought about theirs yet. */
export const RETENTION_PRESETS = {
  gfs: { gfs: {} },
  count: { count: 10 },
  age: { maxAgeMs: 7 * DAY_MS },
} as const;

/** Marks the problem that ends as EMPTY_POLICY. */
const EMPTY_PROBLEM = 'empty-policy';

type Written = z.output<ReturnType<typeof objectOf<typeof retentionOptions>>>;

/** Rules that keep nothing, to lay others over. */
export const NO_RULES: KeepRules = {
  keepLast: null,
  keepHourly: null,
  keepDaily: null,
  keepWeekly: null,
  keepMonthly: null,
  keepYearly: null,
  keepWithinMs: null,
  maxAgeMs: null,
};

/** Nothing is kept by any rule: that is never what was meant. */
function isEmpty(rules: KeepRules): boolean {
  const { maxAgeMs, keepWithinMs, ...counts } = keepRulesOf(rules);
  return maxAgeMs === null && keepWithinMs === null && Object.values(counts).every((each) => !each);
}

function keepRulesOf(rules: KeepRules): KeepRules {
  const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly } = rules;
  const { keepWithinMs, maxAgeMs } = rules;
  const counts = { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly };
  return { ...counts, keepWithinMs, maxAgeMs };
}

/** Presets laid under what was written beside them. Null: keeps everything. */
function compile({ gfs, count, ...written }: Written): RetentionSettings | null {
  const { keepLast, keepDaily, keepWeekly, keepMonthly } = written;
  const dailyMeansLast = gfs?.dailyMeans === 'snapshots';
  const compiled = {
    ...written,
    keepLast: keepLast ?? (dailyMeansLast ? gfs.daily : count),
    keepDaily: keepDaily ?? (gfs === null || dailyMeansLast ? null : gfs.daily),
    keepWeekly: keepWeekly ?? gfs?.weekly ?? null,
    keepMonthly: keepMonthly ?? gfs?.monthly ?? null,
    pick: written.pick ?? (gfs === null ? 'newest' : 'oldest'),
  };
  // Of the preset alone: nought there always meant not to remove anything.
  if (count === null || count > 0) return compiled;
  return isEmpty({ ...compiled, keepLast: null }) ? null : { ...compiled, keepLast };
}

const written = z.preprocess(
  (value) =>
    typeof value === 'string' && Object.hasOwn(RETENTION_PRESETS, value)
      ? RETENTION_PRESETS[value as keyof typeof RETENTION_PRESETS]
      : value,
  objectOf(retentionOptions),
);

/** A policy, or the name of one; null keeps everything. */
export const retentionPolicy = written
  .transform(compile)
  .superRefine((policy, context) => {
    if (policy === null) return;
    const origins = Object.entries(policy.origins).map(([origin, rules]) => ({
      path: ['origins', origin],
      rules,
    }));
    const preRestore = policy.preRestore === null ? null : { ...NO_RULES, ...policy.preRestore };
    origins.push({ path: ['preRestore'], rules: preRestore });
    for (const { path, rules } of [{ path: [], rules: policy }, ...origins]) {
      if (rules === null || !isEmpty(rules)) continue;
      context.addIssue({
        code: 'custom',
        path,
        message:
          'an empty policy would keep nothing; set one of keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly, keepWithinMs, maxAgeMs, or null to keep everything',
        params: { problem: EMPTY_PROBLEM },
      });
    }
  })
  .nullable();

/** A policy given for the occasion. @throws EMPTY_POLICY, INVALID_PARAMS */
export function parseRetention(value: unknown): RetentionSettings | null {
  const { success, data, error } = retentionPolicy.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  const isEmptyPolicy = issue?.code === 'custom' && issue.params?.['problem'] === EMPTY_PROBLEM;
  const place = issue?.path.map(String).join('.') ?? '';
  const state = issue?.message ?? 'invalid';
  throw cannot(
    isEmptyPolicy ? 'EMPTY_POLICY' : 'INVALID_PARAMS',
    'use retention policy',
    place,
    state,
    { hint: 'docs/configuration.md describes every option of a policy.' },
  );
}
