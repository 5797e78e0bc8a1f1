import { z } from 'zod';
import { count } from './scalars.ts';

/** How fast one job may read and write the repository; what is absent is as configured, 0 is without bound. */
export const bandwidthChoice = z.strictObject({
  readBytesPerSecond: count.optional(),
  writeBytesPerSecond: count.optional(),
});

export const bandwidth = bandwidthChoice.optional();
