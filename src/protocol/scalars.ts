import { z } from 'zod';
import { RPC_ERROR_NUMBERS, type RpcErrorCode } from './error-numbers.ts';

/** The small shapes that every noun is built from. */

/** ISO 8601 UTC, milliseconds. */
export const time = z.string().meta({ format: 'date-time' });
export const count = z.int().nonnegative();
export const nothing = z.strictObject({});

/** Id or name of a source. */
export const sourceReference = z.string().min(1).max(200);
/** A snapshot's id, a unique prefix of it (at least 4 hex digits), or `latest`. */
export const snapshotReference = z
  .string()
  .regex(/^(latest|[0-9a-f]{4,64})$/, 'must be `latest`, or 4 to 64 lower-case hex digits');
export const jobId = z.string().min(1).max(64);
/** Ids that name files of the daemon's state: no character that could leave a directory. */
export const recordId = z.string().regex(/^[0-9A-Za-z][0-9A-Za-z_-]{0,127}$/, 'is not a valid id');
/** Absolute path on the daemon's host. */
export const hostPath = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/, 'must be absolute');
/** Path inside a snapshot: `data/app.db`. */
export const logicalPath = z
  .string()
  .max(4096)
  .regex(/^[^\0]*$/, 'must not hold NUL');

/** Rows of a page when the caller does not say, and at most. */
export const PAGE_ITEMS_DEFAULT = 100;
export const PAGE_ITEMS_MAX = 1000;

/** Spread into the params of every list. `cursor` is the `nextCursor` of the page before. */
export const page = {
  limit: z.int().min(1).max(PAGE_ITEMS_MAX).default(PAGE_ITEMS_DEFAULT),
  cursor: z.string().max(1024).nullish(),
};

/** A page of a list; `nextCursor` is null on the last one. */
export function listOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}

export const errorDocument = z.object({
  code: z.enum(Object.keys(RPC_ERROR_NUMBERS) as [RpcErrorCode, ...RpcErrorCode[]]),
  message: z.string(),
  hint: z.string().optional(),
  retryable: z.boolean(),
  details: z.record(z.string(), z.unknown()).optional(),
});
