import { z } from 'zod';
import { type Options, withDefault } from '../option.ts';
import { DAY_MS, durationOption, MINUTE_MS, SECOND_MS } from './option-shapes.ts';

export const retryOptions = {
  maxAttempts: withDefault(z.int().min(1).max(100), 3, {
    type: 'number',
    help: 'Runs in all, the first one included. `1`: a run that failed is left to the next time.',
  }),
  backoffMs: durationOption(
    10 * MINUTE_MS,
    { min: SECOND_MS, max: DAY_MS },
    'The wait before the second run, give or take a tenth; it doubles before each further one. For a full disk it is three times as long.',
  ),
  backoffMaxMs: durationOption(
    30 * MINUTE_MS,
    { min: SECOND_MS, max: 7 * DAY_MS },
    'The wait grows no longer than this.',
  ),
} satisfies Options;
