import { z } from 'zod';
import { type Options, withDefault } from '../option.ts';
import { byteCount } from '../option-values.ts';
import { choice, DAY_MS, durationOption } from './option-shapes.ts';

export const databaseOptions = {
  depth: withDefault(z.number().int().min(0).max(32), 0, {
    type: 'number',
    help: 'How many levels below a data root boot checks and recovery look for databases; 0 is its top level. Snapshots recognise databases at any depth.',
  }),
  check: choice(
    ['quick', 'full'],
    'quick',
    'How deeply each database is checked in every snapshot: `quick_check` or `integrity_check`.',
  ),
  fullScanEveryMs: durationOption(
    DAY_MS,
    { min: 0, max: 365 * DAY_MS },
    'How often at least every page of a database is read. In between, pages that its write-ahead log proves to be unchanged are taken from the snapshot before; what was written to the file around SQLite is seen at the next full reading. 0: every snapshot reads everything.',
  ),
  maxLogGrowthBytes: withDefault(byteCount({ min: 0, max: 2 ** 53 - 1 }).nullable(), null, {
    type: 'bytes',
    absent: 'a quarter of the database, at least 64 MiB',
    help: 'How far a write-ahead log may grow while a snapshot reads its database: nothing in it can be used again meanwhile. Where it grows further, the snapshot lets go, gives the application time for a checkpoint, and reads what has changed since, up to three times; after that it goes through to its end, with a warning. `0`: no bound.',
  }),
  optional: withDefault(
    z.array(z.string().min(1).max(1024)).max(1024, 'expected at most 1024 patterns'),
    [],
    {
      type: 'list of patterns',
      help: 'Databases that may come and go: that one of them is missing is no warning.',
    },
  ),
} satisfies Options;
