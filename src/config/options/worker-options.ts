import { z } from 'zod';
import { type Options, withDefault } from '../option.ts';
import { byteCount, formatBytes } from '../option-values.ts';
import { choice, DAY_MS, durationOption, HOUR_MS, MEBIBYTE, SECOND_MS } from './option-shapes.ts';

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
  niceness: withDefault(z.number().int().min(0).max(19), 10, {
    type: 'number',
    help: 'How far snapshots, checks, prunes and all other work stand back behind other programs where the processor is busy, as of `nice`: 0 is not at all, 19 as far as it goes. Restores, recovery, imports and migrations never do.',
  }),
  diskPriority: choice(
    ['derived', 'idle'],
    'derived',
    'Whether the same work may use a busy disk. `derived`: less often than others, as the kernel derives it from `niceness`; `idle`: only while nobody else wants it, by `ionice` where the host has it. Which of them makes a difference depends on the scheduler of the disk.',
  ),
} satisfies Options;
