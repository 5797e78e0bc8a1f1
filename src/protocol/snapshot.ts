import { z } from 'zod';
import { bandwidth } from './bandwidth.ts';
import { idempotencyKey, submitted } from './job.ts';
import { count, listOf, page, snapshotReference, sourceReference, time } from './scalars.ts';
import { snapshotContentMethods } from './snapshot-contents.ts';
import { snapshotNoteMethods, snapshotTag } from './snapshot-notes.ts';

export const snapshotType = z.enum(['full', 'config', 'data']);
export const snapshotOrigin = z.enum([
  'manual',
  'schedule',
  'change',
  'pre-restore',
  'pre-migrate',
  'recovery',
  'import',
]);
export const rootClass = z.enum(['data', 'config', 'extra']);
const verificationLevel = z.enum(['shallow', 'deep', 'drill']);

export const snapshotSummary = z.object({
  id: z.string(),
  shortId: z.string(),
  sourceId: z.string(),
  sourceName: z.string(),
  type: snapshotType,
  origin: snapshotOrigin,
  reason: z.string().nullable(),
  parent: z.string().nullable(),
  capturedAt: time,
  totalBytes: count,
  addedBytes: count,
  files: count,
  databases: count,
  good: z.boolean(),
  tags: z.array(z.string()),
  pinned: z.boolean(),
  verifiedAt: time.nullable(),
  verifiedLevel: verificationLevel.nullable(),
  verifiedOk: z.boolean().nullable(),
  resealed: z.boolean(),
});

const snapshotRoot = z.object({
  class: rootClass,
  name: z.string().nullable(),
  prefix: z.string(),
  path: z.string(),
  sameAs: z.string().nullable(),
  missing: z.boolean(),
});

const snapshotDatabase = z.object({
  path: z.string(),
  journalMode: z.enum(['wal', 'rollback']),
  pageBytes: count,
  pageCount: count,
  userVersion: z.number(),
  applicationId: z.number(),
  walBytes: count,
  method: z.enum(['pinned', 'copied', 'unchanged']),
  check: z.object({
    level: z.enum(['quick', 'full']),
    ok: z.boolean(),
    messages: z.array(z.string()),
    durationMs: z.number(),
    at: time,
  }),
  logGrowth: z
    .object({ bytesBefore: count, bytesAfter: count, retries: count })
    .optional()
    .describe(
      'Length of its write-ahead log before and after it was read, and how often reading let go of it so that it could be shortened.',
    ),
  reading: z
    .object({ scannedAt: time, contradictedAt: time.nullable() })
    .optional()
    .describe(
      'When every page was last read: what its log proved unchanged since was taken from the snapshot before. And when that log was found wrong.',
    ),
});

/** Lists of the document are cut at SNAPSHOT_ITEMS_MAX; the counts beside them are exact. */
export const SNAPSHOT_ITEMS_MAX = 500;

export const snapshotDocument = z.object({
  ...snapshotSummary.shape,
  startedAt: time,
  finishedAt: time,
  skewMs: z.number(),
  jobId: z.string().nullable(),
  host: z.object({ name: z.string(), os: z.string(), arch: z.string() }),
  tool: z.object({ name: z.string(), version: z.string() }),
  roots: z.array(snapshotRoot),
  databaseList: z.array(snapshotDatabase),
  skipped: z.array(
    z.object({ path: z.string(), reason: z.string(), message: z.string().optional() }),
  ),
  skippedCount: count,
  skippedByReason: z.record(z.string(), count),
  /** What is no fault, but worth knowing: a pattern that matched nothing. */
  notes: z.array(z.string()),
  /** Fingerprints of the keys that the application needs beside its data. */
  keys: z.array(z.object({ name: z.string(), fingerprint: z.string().nullable() })),
  /** Lines of its logs; null where none are counted. */
  lineCounts: z
    .object({
      files: count,
      lines: count,
      /** Files that end in the middle of a line. */
      partial: count,
      items: z.array(z.object({ path: z.string(), lines: count, partial: z.boolean() })),
    })
    .nullable(),
  changedWhileReading: z.array(z.string()),
  changedWhileReadingCount: count,
  warnings: z.array(z.string()),
  statistics: z.object({
    files: count,
    directories: count,
    symlinks: count,
    databases: count,
    totalBytes: count,
    readBytes: count,
    chunksNew: count,
    chunksDelta: count,
    chunksReused: count,
    addedBytes: count,
  }),
  verifications: z.array(
    z.object({
      at: time,
      level: verificationLevel,
      ok: z.boolean(),
      findings: z.array(z.string()),
      /** Of drills alone. */
      durationMs: count.optional(),
    }),
  ),
});

/** Every condition must hold. */
const snapshotChoice = {
  type: snapshotType.optional(),
  origin: snapshotOrigin.optional(),
  tag: snapshotTag.optional(),
  pinned: z.boolean().optional(),
  /** Every database passed its check. */
  goodOnly: z.boolean().default(false),
  /** The newest verification or drill passed. */
  verifiedOnly: z.boolean().default(false),
  /** Bounds of `capturedAt`, both included. */
  since: z.iso.datetime().optional(),
  until: z.iso.datetime().optional(),
  /** A part of the reason, in any case. */
  text: z.string().max(200).optional(),
};

export const snapshotMethods = {
  ...snapshotContentMethods,
  ...snapshotNoteMethods,
  'snapshot.delete': {
    summary:
      'Enqueues the removal of snapshots: all or none. Refused for what is pinned or being read, and for the last known good one of a source unless `force`. Data stays until a prune.',
    params: z.strictObject({
      ids: z.array(snapshotReference).min(1).max(1000),
      force: z.boolean().default(false),
      idempotencyKey,
    }),
    result: submitted,
  },
  'snapshot.create': {
    summary: 'Enqueues a backup of a source: the only one, when none is named.',
    params: z.strictObject({
      sourceId: sourceReference.optional(),
      type: snapshotType.default('full'),
      reason: z.string().max(1000).optional(),
      tags: z.array(snapshotTag).max(32).optional(),
      ifChanged: z
        .boolean()
        .optional()
        .describe(
          'Where the newest snapshot is proven to hold the source as it is, the job ends with that one, and `unchanged: true`. A tag or a reason is always worth a snapshot.',
        ),
      bandwidth,
      idempotencyKey,
    }),
    result: submitted,
  },
  'snapshot.list': {
    summary: 'Snapshots, newest first.',
    params: z.strictObject({
      sourceId: sourceReference.optional(),
      ...snapshotChoice,
      ...page,
    }),
    result: listOf(snapshotSummary),
  },
  'snapshot.latest': {
    summary: 'The newest snapshot of which all conditions hold.',
    params: z.strictObject({ sourceId: sourceReference.optional(), ...snapshotChoice }),
    result: snapshotSummary,
  },
  'snapshot.get': {
    summary: 'Everything recorded about one snapshot.',
    params: z.strictObject({ id: snapshotReference, sourceId: sourceReference.optional() }),
    result: snapshotDocument,
  },
  'snapshot.verify': {
    summary: 'Enqueues a verification: shallow (everything is there) or deep (every byte is read).',
    params: z.strictObject({
      snapshots: z
        .union([z.enum(['latest', 'all']), z.array(snapshotReference).min(1).max(1000)])
        .default('latest'),
      sourceId: sourceReference.optional(),
      deep: z.boolean().default(false),
      bandwidth,
      idempotencyKey,
    }),
    result: submitted,
  },
};
