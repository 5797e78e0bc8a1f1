import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import {
  count,
  hostPath,
  listOf,
  logicalPath,
  page,
  snapshotReference,
  sourceReference,
  time,
} from './scalars.ts';

/** Databases that travel to other installations: docs/artifacts.md. */

const payloadFormat = z.enum(['sqlite-file', 'sqldump', 'jsonl-tables']);
const version = z.union([count, z.string()]).nullable();

/** A reference or an alias in the store. */
const storeName = z
  .string()
  .max(400)
  .regex(
    /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,99}\/)*[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/,
    'must be a name such as `snapshots/latest`',
  );

const keyPrefix = z
  .string()
  .max(200)
  .regex(/^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,99}\/)*$/, 'must be names that each end with a slash');

/** Exactly one of the two. */
const place = {
  /** Its manifest stands beside it. */
  from: hostPath.optional(),
  ref: storeName.optional(),
};
const onePlace = ({ from, ref }: { from?: string | undefined; ref?: string | undefined }) =>
  (from === undefined) !== (ref === undefined);
const ONE_PLACE = { message: 'give one of `from` and `ref`' };

const database = logicalPath.min(1).optional();

const artifactItem = z.object({
  ref: z.string(),
  /** Names that stand for it. */
  aliases: z.array(z.string()),
  /** Null: its manifest cannot be believed; no other member is known then. */
  kind: z.string().nullable(),
  payloadFormat: payloadFormat.nullable(),
  checksum: z.string().nullable(),
  bytes: count.nullable(),
  sourceId: z.string().nullable(),
  database: z.string().nullable(),
  snapshotId: z.string().nullable(),
  modelVersion: version,
  schemaVersion: version,
  cursor: z.string().nullable(),
  createdAt: time.nullable(),
  /** The key's name; null: not signed. */
  signedWith: z.string().nullable(),
});

export const artifactMethods = {
  'artifact.export': {
    summary:
      'Enqueues the writing of an artifact to a file, its manifest beside it: of a database of a snapshot, or of a source as it is now.',
    params: z.strictObject({
      /** Absent: one is taken now. */
      snapshotId: snapshotReference.optional(),
      sourceId: sourceReference.optional(),
      /** Logical. Absent: the only one. */
      database,
      /** Absent: as the settings say, else `sqlite-file`. */
      payloadFormat: payloadFormat.optional(),
      /** Its directory must exist. */
      to: hostPath,
      overwrite: z.boolean().optional(),
      idempotencyKey,
    }),
    result: submitted,
  },
  'artifact.verify': {
    summary:
      'Enqueues the verification of an artifact; with a source, also that its versions fit. Fails with VERIFY_FAILED and `details.gate`.',
    params: z
      .strictObject({ ...place, sourceId: sourceReference.optional(), database, idempotencyKey })
      .refine(onePlace, ONE_PLACE),
    result: submitted,
  },
  'artifact.import': {
    summary:
      'Enqueues an import: verified, built aside, migrated, checked, then put in place of a database that is not used yet. With `force` of any, after a snapshot of it; that needs `confirm`.',
    params: z
      .strictObject({
        ...place,
        /** Absent: the only one. */
        sourceId: sourceReference.optional(),
        /** Logical; need not exist. Absent: the only one that the settings describe. */
        database,
        force: z.boolean().optional(),
        /** The name or id of the source whose database is replaced. */
        confirm: z.string().max(200).optional(),
        idempotencyKey,
      })
      .refine(onePlace, ONE_PLACE),
    result: submitted,
  },
  'artifact.publish': {
    summary: 'Enqueues the publishing of artifacts of a source into the store.',
    params: z.strictObject({
      sourceId: sourceReference.optional(),
      /** Absent: every database that the settings describe, or the only one. */
      database,
      /** Absent: one is taken now. */
      snapshotId: snapshotReference.optional(),
      payloadFormat: payloadFormat.optional(),
      keyPrefix: keyPrefix.optional(),
      /** Absent: as the settings say; null: none. */
      alias: storeName.nullish(),
      idempotencyKey,
    }),
    result: submitted,
  },
  'artifact.list': {
    summary: 'What the store has, newest first.',
    params: z.strictObject({ ...page }),
    result: listOf(artifactItem),
  },
  'artifact.fetch': {
    summary: 'Enqueues the fetching of an artifact from the store to a file: verified on the way.',
    params: z.strictObject({
      ref: storeName,
      to: hostPath,
      overwrite: z.boolean().optional(),
      idempotencyKey,
    }),
    result: submitted,
  },
};
