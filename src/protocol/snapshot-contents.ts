import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import { count, listOf, page, snapshotReference, sourceReference, time } from './scalars.ts';
import { treeEntry } from './tree.ts';

/** What is in snapshots: listings of whole ones, versions of a path, differences between two. */

const chosen = { id: snapshotReference, sourceId: sourceReference.optional() };

const fileItem = z.object({
  /** Logical path; `name` is its last component. */
  path: z.string(),
  ...treeEntry.shape,
});

const versionItem = z.object({
  snapshotId: z.string(),
  shortId: z.string(),
  sourceId: z.string(),
  capturedAt: time,
  ...fileItem.shape,
});

/** Plaintext of a manifest that one answer carries. */
export const MANIFEST_SLICE_BYTES_MAX = 512 * 1024;

export const snapshotContentMethods = {
  'snapshot.files': {
    summary: 'Everything in a snapshot, with its path; directories before what is in them.',
    params: z.strictObject({ ...chosen, ...page }),
    result: listOf(fileItem),
  },
  'snapshot.manifest': {
    summary: 'The manifest as it is stored, a slice of its text at a time.',
    params: z.strictObject({ ...chosen, offsetBytes: count.default(0) }),
    result: z.object({
      id: z.string(),
      totalBytes: count,
      text: z.string(),
      /** Null on the last slice. */
      nextOffsetBytes: count.nullable(),
    }),
  },
  'snapshot.find': {
    summary:
      'The versions of all paths that match a pattern, newest first: each as the newest snapshot that holds it has it.',
    params: z.strictObject({
      /** A glob: without a slash against names (`*.db`), with one against whole paths (`data/uploads/**`). */
      pattern: z.string().min(1).max(1024),
      sourceId: sourceReference.optional(),
      type: treeEntry.shape.type.optional(),
      since: z.iso.datetime().optional(),
      until: z.iso.datetime().optional(),
      ...page,
    }),
    result: z.object({
      ...listOf(versionItem).shape,
      /** Snapshots of this page that could not be read; `repository.check` says why. */
      unreadable: z.array(z.string()),
    }),
  },
  'snapshot.diff': {
    summary:
      'Enqueues a comparison of two snapshots: files, and for every database its schema and row counts.',
    params: z.strictObject({
      a: snapshotReference,
      b: snapshotReference,
      sourceId: sourceReference.optional(),
      /** False: databases are compared as files alone. */
      databases: z.boolean().default(true),
      idempotencyKey,
    }),
    result: submitted,
  },
};
