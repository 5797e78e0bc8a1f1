import { z } from 'zod';
import { type Options, withDefault } from '../option.ts';
import { DAY_MS, durationOption, MINUTE_MS, SECOND_MS, toggle } from './option-shapes.ts';

export const watchOptions = {
  enabled: withDefault(z.boolean(), true, {
    type: 'boolean',
    flag: '--no-watch',
    help: 'Take a snapshot whenever something changed.',
  }),
  quietMs: durationOption(
    5 * SECOND_MS,
    { min: 0, max: DAY_MS },
    'A snapshot is taken once nothing has changed for this long.',
  ),
  maxWaitMs: durationOption(
    5 * MINUTE_MS,
    { min: 0, max: 7 * DAY_MS },
    'At the latest this long after the first change, even if changes go on.',
  ),
  minGapMs: durationOption(
    MINUTE_MS,
    { min: 0, max: 7 * DAY_MS },
    'At least this long between two snapshots that are taken because of changes.',
  ),
  pollMs: durationOption(
    MINUTE_MS,
    { min: 100, max: DAY_MS },
    'How often size and time of every file are compared as well, because no file system reports every change. Where there are no events at all, this is the only means.',
  ),
  usePolling: toggle(false, 'Never use file system events.'),
} satisfies Options;
