import { z } from 'zod';
import { type Options, objectOf, withDefault } from '../option.ts';
import { duration, timeZone } from '../option-values.ts';
import { DAY_MS, SECOND_MS } from './option-shapes.ts';

/** More than these are better said as all: -1. */
const KEPT_MAX = 1_000_000;
const AGE = { min: SECOND_MS, max: 36_600 * DAY_MS };

const keptCount = z
  .int('expected a whole number')
  .min(-1, 'expected a number of snapshots, 0 for none, or -1 for all')
  .max(KEPT_MAX, `expected at most ${KEPT_MAX}, or -1 for all`);

function keep(help: string) {
  return withDefault(keptCount.nullable(), null, { type: 'number', absent: 'none', help });
}

function age(help: string) {
  return withDefault(duration(AGE).nullable(), null, { type: 'duration', absent: 'none', help });
}

/** What keeps a snapshot. Whatever any of these keeps stays. */
export const keepOptions = {
  keepLast: keep('The newest of these many snapshots stay. In every count here, `-1` means all.'),
  keepHourly: keep('Of the newest of these many hours that have a snapshot, one stays of each.'),
  keepDaily: keep('The same for days.'),
  keepWeekly: keep('The same for weeks, which begin on Mondays, as ISO 8601 counts them.'),
  keepMonthly: keep('The same for calendar months.'),
  keepYearly: keep('The same for calendar years.'),
  keepWithinMs: age(
    'All stay that were taken within this time before the newest one. While no snapshots are taken, none goes.',
  ),
  maxAgeMs: age(
    'What nothing else keeps goes only once it is older than this, measured from now. Alone: everything older goes.',
  ),
} satisfies Options;

const preRestoreOptions = {
  keepLast: withDefault(keptCount.nullable(), 5, { type: 'number', help: 'The newest stay.' }),
  maxAgeMs: withDefault(duration(AGE).nullable(), 30 * DAY_MS, { type: 'duration', help: 'Age.' }),
} satisfies Options;

/** `daily` and so on of the preset, -1 for all; what is left out is 5, 4 and all. */
const gfs = z.strictObject({
  daily: keptCount.default(5),
  weekly: keptCount.default(4),
  monthly: keptCount.default(-1),
  dailyMeans: z.enum(['days', 'snapshots']).default('days'),
});

const keepRules = objectOf(keepOptions);

export const retentionOptions = {
  ...keepOptions,
  pick: withDefault(z.enum(['newest', 'oldest']).nullable(), null, {
    type: '`newest` · `oldest`',
    absent: '`newest`, with `gfs` `oldest`',
    help: 'Which snapshot of an hour, day, week, month or year is the one that stays.',
  }),
  timeZone: withDefault(timeZone, 'UTC', {
    type: 'time zone',
    help: 'Where hours, days, weeks, months and years begin: a name such as `Europe/Paris`.',
  }),
  minKeep: withDefault(z.int().min(1).max(KEPT_MAX), 1, {
    type: 'number',
    help: 'At least the newest of these many stay, whatever else is said.',
  }),
  minGood: withDefault(z.int().min(1).max(KEPT_MAX), 2, {
    type: 'number',
    help: 'At least the newest of these many good ones stay; where more than one must, also the newest good one that is a day old.',
  }),
  origins: withDefault(
    z.strictObject({
      manual: keepRules.nullable().exactOptional(),
      schedule: keepRules.nullable().exactOptional(),
      change: keepRules.nullable().exactOptional(),
      recovery: keepRules.nullable().exactOptional(),
    }),
    {},
    {
      type: 'mapping',
      absent: 'none',
      help: 'Rules of their own for snapshots of the origin `manual`, `schedule`, `change` or `recovery`: the options from `keepLast` to `maxAgeMs`, in place of those here. `null` keeps all of that origin. Each origin is counted by itself in any case.',
    },
  ),
  preRestore: withDefault(
    objectOf(preRestoreOptions).nullable(),
    { keepLast: 5, maxAgeMs: 30 * DAY_MS },
    {
      type: 'mapping',
      absent: '`{keepLast: 5, maxAgeMs: 30d}`',
      help: 'The rules for snapshots of what a restore or a migration was about to replace: no others hold for them. `null` keeps all.',
    },
  ),
  gfs: withDefault(gfs.nullable(), null, {
    type: 'mapping',
    absent: 'none',
    help: 'Short for `keepDaily`, `keepWeekly` and `keepMonthly`: `{daily: 5, weekly: 4, monthly: -1}`, and these where left out. With `dailyMeans: snapshots`, `daily` is `keepLast` instead.',
  }),
  count: withDefault(z.int().max(KEPT_MAX).nullable(), null, {
    type: 'number',
    absent: 'none',
    help: 'Short for `keepLast`, but 0 and less keep everything.',
  }),
} satisfies Options;
