import { z } from 'zod';
import { type Options, withDefault } from '../option.ts';
import { byteCount, duration, formatDuration } from '../option-values.ts';
import { DAY_MS, HOUR_MS } from './option-shapes.ts';

export const quarantineOptions = {
  maxCount: withDefault(z.int().min(0).max(1_000_000).nullable(), 100, {
    type: 'number',
    help: 'More than these are not kept; `null`: any number.',
  }),
  maxAgeMs: withDefault(duration({ min: HOUR_MS, max: 3660 * DAY_MS }).nullable(), 90 * DAY_MS, {
    type: 'duration',
    absent: `\`${formatDuration(90 * DAY_MS)}\``,
    help: 'What is older is not kept; `null`: of any age.',
  }),
  minFreeBytes: withDefault(byteCount({ min: 0, max: 2 ** 50 }), 0, {
    type: 'bytes',
    absent: 'no bound',
    help: 'While less is free where the state directory lies, the oldest go.',
  }),
} satisfies Options;
