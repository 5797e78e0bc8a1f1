import { z } from 'zod';
import { computed, type Options, required } from '../option.ts';
import {
  cronExpression,
  duration,
  hostTimeZone,
  identifier,
  parseDurationMs,
  timeZone,
} from '../option-values.ts';
import { choice, DAY_MS, durationOption, HOUR_MS, SECOND_MS, toggle } from './option-shapes.ts';

const trigger = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('cron'),
    expression: cronExpression,
    timeZone: timeZone.default(hostTimeZone),
  }),
  z.strictObject({
    type: z.literal('interval'),
    intervalMs: duration({ min: SECOND_MS, max: 366 * DAY_MS }),
  }),
]);

/** `6h` is short for an interval, any other text for a cron expression. */
function spelledOut(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return parseDurationMs(value) === null
    ? { type: 'cron', expression: value }
    : { type: 'interval', intervalMs: value };
}

export const scheduleOptions = {
  id: computed(identifier, {
    type: 'identifier',
    absent: 'the kind',
    help: 'Unique within the source. Under this id the next due time outlives a restart.',
  }),
  kind: choice(
    ['backup', 'forget', 'prune', 'check', 'verify', 'drill', 'publish'],
    'backup',
    'What is done: `backup` takes a full snapshot, `forget` removes the snapshots that `retention` does not keep, `prune` gives back the space of what no snapshot needs, `check` examines a tenth of the repository, `verify` reads the newest snapshot of the source completely, `drill` restores the newest good one to scratch and holds it against its checks and the assertions, `publish` puts artifacts of the databases in `artifacts` of the source, or of its only one, into the store.',
  ),
  trigger: required(z.preprocess(spelledOut, trigger), {
    type: 'trigger',
    help: '`{type: interval, intervalMs: 6h}`, or `{type: cron, expression: "0 3 * * *", timeZone: Europe/Paris}`; for short `6h`, or `"0 3 * * *"`. A cron expression has five fields, or six with seconds first; if both day fields are restricted, both must match. Without `timeZone` the host\'s own holds.',
  }),
  enabled: toggle(true, 'Whether the schedule runs.'),
  catchUp: computed(z.enum(['one', 'none']), {
    type: '`one` · `none`',
    absent: '`one`; `none` for `forget`, `prune` and `check`',
    help: 'Runs that were missed while the daemon was down or the host asleep: made up for by one run, or by none.',
  }),
  jitterMs: durationOption(
    0,
    { min: 0, max: HOUR_MS },
    'Each run begins up to this much after its time, so that many hosts do not all begin at once. Shorter than the interval.',
  ),
  overlap: choice(
    ['skip', 'queue'],
    'skip',
    'What becomes of a run whose predecessor still waits or runs: it is left out, or one waits behind it.',
  ),
} satisfies Options;
