import { z } from 'zod';
import { cannot } from '../../kernel/errors.ts';
import { FORMAT, MANIFEST_BYTES_MAX } from '../format/bounds.ts';
import { firstIssue } from '../format/descriptor.ts';
import { isObjectId } from '../format/object-id.ts';
import { FORMER_IDS_MAX, type Manifest, type Notes } from './manifest.ts';

/** Manifests and notes, validated strictly: an unknown or missing field is refused, never ignored. */

const id = z.string().refine(isObjectId, 'not an id');
const count = z.int().min(0);
const time = z.iso.datetime();
const type = z.enum(['full', 'config', 'data']);
const origin = z.enum([
  'manual',
  'schedule',
  'change',
  'pre-restore',
  'pre-migrate',
  'recovery',
  'import',
]);

const root = z.strictObject({
  class: z.enum(['data', 'config', 'extra']),
  name: z.string().nullable(),
  prefix: z.string().min(1),
  path: z.string(),
  tree: id.nullable(),
  sameAs: z.string().nullable(),
  missing: z.boolean(),
});

const check = z.strictObject({
  level: z.enum(['quick', 'full']),
  ok: z.boolean(),
  messages: z.array(z.string()),
  durationMs: z.number().min(0),
  at: time,
});

const decimal = z.string().regex(/^\d{1,30}$/);
const eightBytes = z.string().regex(/^[0-9a-f]{16}$/);

const reading = z.strictObject({
  scannedAt: time,
  contradictedAt: time.nullable(),
  log: z
    .strictObject({
      bootId: z.string().min(1).max(100),
      device: decimal,
      inode: decimal,
      mtimeNs: decimal,
      pageBytes: count,
      pageCount: count,
      salts: eightBytes,
      frame: z.int().min(1),
      checksum: eightBytes,
      backfilled: count,
    })
    .nullable(),
});

const database = z.strictObject({
  path: z.string().min(1),
  journalMode: z.enum(['wal', 'rollback']),
  pageBytes: count,
  pageCount: count,
  encoding: z.enum(['UTF-8', 'UTF-16le', 'UTF-16be']),
  autoVacuum: z.boolean(),
  userVersion: z.int(),
  applicationId: z.int(),
  schemaCookie: z.int(),
  changeCounter: count,
  walBytes: count,
  fingerprint: z.string(),
  check,
  method: z.enum(['pinned', 'copied', 'unchanged']),
  reading: reading.optional(),
  logGrowth: z.strictObject({ bytesBefore: count, bytesAfter: count, retries: count }).optional(),
});

const skipReason = z.enum([
  'excluded',
  'own-files',
  'special-file',
  'unreadable',
  'vanished',
  'name-not-utf8',
  'database-sidecar',
  'other-root',
  'path-too-long',
  'not-included',
  'too-large',
]);

const skipRecord = z.strictObject({
  path: z.string(),
  reason: skipReason,
  message: z.string().exactOptional(),
});

const statistics = z.strictObject({
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
});

const manifestSchema = z.strictObject({
  format: z.literal(FORMAT),
  type,
  origin,
  reason: z.string().nullable(),
  source: z.strictObject({ id: z.string().min(1), name: z.string() }),
  host: z.strictObject({ name: z.string(), os: z.string(), arch: z.string() }),
  tool: z.strictObject({ name: z.literal('holdfast'), version: z.string() }),
  jobId: z.string().nullable(),
  parent: id.nullable(),
  startedAt: time,
  capturedAt: time,
  finishedAt: time,
  skewMs: z.number().min(0),
  roots: z.array(root),
  databases: z.array(database),
  skipped: z.array(skipRecord),
  skippedCount: count,
  skippedByReason: z.partialRecord(skipReason, count).optional(),
  notes: z.array(z.string()).optional(),
  plugins: z.array(z.strictObject({ name: z.string(), ok: z.boolean(), files: count })).optional(),
  keys: z
    .array(z.strictObject({ name: z.string(), fingerprint: z.string().nullable() }))
    .optional(),
  lineCounts: z
    .strictObject({
      files: count,
      lines: count,
      partial: count,
      items: z
        .array(z.strictObject({ path: z.string(), lines: count, partial: z.boolean() }))
        .max(1_000),
    })
    .optional(),
  changedWhileReading: z.array(z.string()),
  warnings: z.array(z.string()),
  sourceFingerprint: z.string(),
  statistics,
});

const notesSchema = z.strictObject({
  tags: z.array(z.string()),
  pinned: z.boolean(),
  resealedAt: time.optional(),
  verifications: z.array(
    z.strictObject({
      at: time,
      level: z.enum(['shallow', 'deep', 'drill']),
      ok: z.boolean(),
      findings: z.array(z.string()),
      durationMs: count.optional(),
    }),
  ),
  formerIds: z.array(id).max(FORMER_IDS_MAX).optional(),
});

/** @throws UNSUPPORTED_FORMAT for another format, REPO_CORRUPT for what is no manifest */
export function parseManifest(id: string, bytes: Buffer): Manifest {
  if (bytes.length > MANIFEST_BYTES_MAX) {
    throw cannot('REPO_CORRUPT', 'read snapshot', id, `its manifest is ${bytes.length} bytes long`);
  }
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw cannot('REPO_CORRUPT', 'read snapshot', id, 'its manifest is not JSON', { cause: error });
  }
  const format = (value as { format?: unknown } | null)?.format;
  if (typeof format === 'number' && format !== FORMAT) {
    throw cannot('UNSUPPORTED_FORMAT', 'read snapshot', id, `its manifest has format ${format}`, {
      hint: 'Use the version of Holdfast that wrote it.',
    });
  }
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) throw cannot('REPO_CORRUPT', 'read snapshot', id, firstIssue(parsed.error));
  return parsed.data;
}

/** A manifest about to be published. @throws INVALID_PARAMS when a reader would refuse it */
export function assertManifest(manifest: Manifest): void {
  const parsed = manifestSchema.safeParse(manifest);
  if (parsed.success) return;
  throw cannot(
    'INVALID_PARAMS',
    'publish snapshot of',
    manifest.source.name,
    firstIssue(parsed.error),
  );
}

/** Notes, or the first thing wrong with them. */
export function parseNotes(value: unknown): { notes: Notes } | { issue: string } {
  const parsed = notesSchema.safeParse(value);
  return parsed.success ? { notes: parsed.data } : { issue: firstIssue(parsed.error) };
}
