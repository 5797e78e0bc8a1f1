import { z } from 'zod';

/**
 * What the last check saw in a WAL and nowhere else. SQLite empties a WAL only after its pages were written into the
 * database file: while that was not written to, they must still be there.
 */
export const lastLook = z.object({
  /** Size, time and number of the database file. */
  main: z.string(),
  mainWrittenMs: z.number(),
  /** Salts of the WAL, in hexadecimal. */
  salts: z.string(),
  /** Frames up to its last commit. */
  frames: z.int().positive(),
  /** Epoch milliseconds, of the look. */
  atMs: z.number(),
});
export type LastLook = z.infer<typeof lastLook>;
