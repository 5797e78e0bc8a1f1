import { z } from 'zod';
import { type Options, withDefault } from '../option.ts';
import { duration } from '../option-values.ts';
import { choice, DAY_MS, durationOption, SECOND_MS, toggle } from './option-shapes.ts';

export const recoveryOptions = {
  onBoot: choice(
    ['recover', 'check', 'off'],
    'recover',
    'What the daemon does about a corrupt database before it is ready: repair it, report it, or not look.',
  ),
  deadlineMsPerGigabyte: durationOption(
    30 * SECOND_MS,
    { min: SECOND_MS, max: DAY_MS },
    'How long the check or repair of one database may take, for each gigabyte of it; never less than a minute in all.',
  ),
  allowPartial: toggle(
    true,
    'Whether a repair that loses rows, or cannot tell whether it does, is installed without being asked. If not, only a repair that is known to lose nothing is.',
  ),
  maxLossRows: withDefault(z.int().min(0).max(Number.MAX_SAFE_INTEGER).nullable(), null, {
    type: 'number',
    absent: 'no limit',
    help: 'A repair that loses more rows than this is not installed; nor one whose loss cannot be counted, since a table could not be read to its end.',
  }),
  maxSnapshotAgeMs: withDefault(duration({ min: SECOND_MS, max: 3660 * DAY_MS }).nullable(), null, {
    type: 'duration',
    absent: 'no limit',
    help: 'A repair with content of a snapshot older than this is not installed, unless it is proven to be what was there.',
  }),
} satisfies Options;
