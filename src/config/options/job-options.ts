import { z } from 'zod';
import { type Options, withDefault } from '../option.ts';
import { byteCount, formatBytes } from '../option-values.ts';
import { MEBIBYTE } from './option-shapes.ts';

export const jobOptions = {
  keptCount: withDefault(z.int().min(10).max(100_000), 1_000, {
    type: 'number',
    help: 'How many finished jobs are remembered, the newest.',
  }),
  logBytesMax: withDefault(byteCount({ min: MEBIBYTE, max: 2 ** 40 }), 256 * MEBIBYTE, {
    type: 'bytes',
    absent: `\`${formatBytes(256 * MEBIBYTE)}\``,
    help: 'How much text the logs of finished jobs may hold together; the oldest logs go first, their jobs stay.',
  }),
} satisfies Options;
