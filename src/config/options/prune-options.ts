import { z } from 'zod';
import { type Options, withDefault } from '../option.ts';
import { duration, formatDuration } from '../option-values.ts';
import { DAY_MS } from './option-shapes.ts';

export const pruneOptions = {
  graceMs: withDefault(duration({ min: 0, max: 366 * DAY_MS }), DAY_MS, {
    type: 'duration',
    absent: `\`${formatDuration(DAY_MS)}\``,
    help: 'How long a removed snapshot keeps its data, and can be brought back.',
  }),
  unusedShare: withDefault(z.number().min(0).max(0.95), 0.1, {
    type: 'number',
    help: 'Packs of which more than this share is no longer needed are written anew without it.',
  }),
} satisfies Options;
