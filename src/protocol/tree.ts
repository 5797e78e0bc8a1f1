import { z } from 'zod';
import {
  count,
  listOf,
  logicalPath,
  page,
  snapshotReference,
  sourceReference,
  time,
} from './scalars.ts';

export const treeEntry = z.object({
  name: z.string(),
  type: z.enum(['directory', 'file', 'database', 'symlink']),
  /** Plaintext length; 0 for directories and symlinks. */
  bytes: count,
  /** Null, as `mode` is, for roots: theirs are not recorded. */
  mtime: time.nullable(),
  /** Permission bits. */
  mode: count.nullable(),
  linkTarget: z.string().optional(),
  changedWhileReading: z.literal(true).optional(),
});

export const treeMethods = {
  'tree.list': {
    summary: 'Direct children of a directory of a snapshot: directories first, then by name.',
    params: z.strictObject({
      snapshotId: snapshotReference,
      sourceId: sourceReference.optional(),
      /** `/` lists the roots. */
      path: logicalPath.default('/'),
      ...page,
    }),
    result: listOf(treeEntry),
  },
};
