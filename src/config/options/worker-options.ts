import { type Options, withDefault } from '../option.ts';
import { byteCount, formatBytes } from '../option-values.ts';
import { DAY_MS, durationOption, HOUR_MS, MEBIBYTE, SECOND_MS } from './option-shapes.ts';

export const workerOptions = {
  memoryBytesMax: withDefault(byteCount({ min: 128 * MEBIBYTE, max: 2 ** 40 }), 2 ** 30, {
    type: 'bytes',
    absent: `\`${formatBytes(2 ** 30)}\``,
    help: 'A worker that uses more memory is ended and its job fails.',
  }),
  jobDeadlineMs: durationOption(
    6 * HOUR_MS,
    { min: SECOND_MS, max: 30 * DAY_MS },
    'A job that takes longer, whatever it does, is ended and fails: that is how one that hangs comes to an end.',
  ),
} satisfies Options;
