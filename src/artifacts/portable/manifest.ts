import { createHash } from 'node:crypto';
import { z } from 'zod';
import { messageOf } from '../../kernel/errors.ts';
import { canonicalJson } from '../../store/format/canonical-json.ts';
import { refuseAtGate } from './gate-refusal.ts';

/** What is said of a payload: docs/artifacts.md describes every member. */

export const MANIFEST_FORMAT = 1;
export const MANIFEST_BYTES_MAX = 1024 * 1024;
/** Of the file that stands beside the payload. */
export const MANIFEST_SUFFIX = '.manifest.json';

/** What an artifact may be. */
export const ARTIFACT_KINDS = ['sqlite.database'] as const;
export const PAYLOAD_FORMATS = ['sqlite-file', 'sqldump', 'jsonl-tables'] as const;
export type PayloadFormat = (typeof PAYLOAD_FORMATS)[number];

const CURSOR_MAX = 2n ** 64n - 1n;

/** Decimal, 0 to 2^64 − 1. */
export const isCursor = (text: string): boolean =>
  /^(0|[1-9]\d{0,19})$/.test(text) && BigInt(text) <= CURSOR_MAX;

const checksum = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const count = z.int().nonnegative();
const version = z.union([z.int().nonnegative(), z.string().regex(/^\d{1,9}(\.\d{1,9}){0,3}$/)]);
const time = z.iso.datetime({ precision: 3 });

const signature = z.strictObject({
  algorithm: z.enum(['hmac-sha256', 'ed25519']),
  /** Which key it was, for people: nothing is decided by it. */
  key: z.string().min(1).max(64),
  value: z.base64().max(512),
});

const members = {
  format: z.literal(MANIFEST_FORMAT),
  kind: z.enum(ARTIFACT_KINDS),
  payloadFormat: z.enum(PAYLOAD_FORMATS),
  checksum,
  bytes: count,
  modelVersion: version.nullable(),
  schemaVersion: version.nullable(),
  migrationVersion: z.string().max(200).nullable(),
  cursor: z.string().refine(isCursor).nullable(),
  toolVersion: z.string().max(64),
  createdAt: time,
  capturedAt: time,
  source: z.strictObject({ id: z.string().max(64), name: z.string().max(256) }).nullable(),
  snapshotId: z.string().max(64).nullable(),
  database: z.string().min(1).max(4096),
  pragmas: z.strictObject({
    userVersion: z.int(),
    applicationId: z.int(),
    pageBytes: count,
    encoding: z.enum(['UTF-8', 'UTF-16le', 'UTF-16be']),
    autoVacuum: z.enum(['none', 'full', 'incremental']),
  }),
  tables: z.array(z.strictObject({ name: z.string(), rows: count })).max(10_000),
  /** An import may have no more. */
  foreignKeyViolations: count,
};

const manifestSchema = z.strictObject({
  ...members,
  digest: checksum,
  signature: signature.nullable(),
});

export type ArtifactManifest = Readonly<z.infer<typeof manifestSchema>>;
export type ArtifactSignature = Readonly<z.infer<typeof signature>>;
/** Before it is sealed. */
export type ArtifactFacts = Omit<ArtifactManifest, 'digest' | 'signature'>;

export const sha256Of = (bytes: Uint8Array | string): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** What digest and signature are of. */
export function signedBytes({
  digest: _digest,
  signature: _signature,
  ...facts
}: ArtifactFacts & { digest?: unknown; signature?: unknown }): Buffer {
  return Buffer.from(canonicalJson(facts));
}

/** The text of the manifest's file. */
export function sealManifest(
  facts: ArtifactFacts,
  sign: ((bytes: Buffer) => ArtifactSignature) | null,
): { readonly manifest: ArtifactManifest; readonly text: string } {
  const bytes = signedBytes(facts);
  const manifest = { ...facts, digest: sha256Of(bytes), signature: sign?.(bytes) ?? null };
  return { manifest, text: `${canonicalJson(manifest)}\n` };
}

type Loose = Record<string, unknown>;

function looseDocument(text: string, artifact: string): Loose {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refuseAtGate('manifest', artifact, `its manifest is no JSON: ${messageOf(error)}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Loose;
  throw refuseAtGate('manifest', artifact, 'its manifest is no object');
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 100);

/**
 * Takes a manifest through the gates `kind`, `format` and `manifest`. `artifact` names it in messages.
 * @throws VERIFY_FAILED
 */
export function parseManifest(text: string, artifact: string): ArtifactManifest {
  const document = looseDocument(text, artifact);
  const { kind, format, payloadFormat } = document;
  if (!ARTIFACT_KINDS.includes(kind as never)) {
    throw refuseAtGate('kind', artifact, `it is of the kind ${shown(kind)}`);
  }
  if (format !== MANIFEST_FORMAT) {
    throw refuseAtGate('format', artifact, `its manifest has the format ${shown(format)}`);
  }
  if (!PAYLOAD_FORMATS.includes(payloadFormat as never)) {
    throw refuseAtGate('format', artifact, `its payload has the format ${shown(payloadFormat)}`);
  }
  const parsed = manifestSchema.safeParse(document);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join('.') || 'its manifest';
    throw refuseAtGate('manifest', artifact, `${where}: ${issue?.message ?? 'invalid'}`);
  }
  const manifest = parsed.data;
  if (sha256Of(signedBytes(manifest)) === manifest.digest) return manifest;
  throw refuseAtGate('manifest', artifact, 'its digest is not that of its members');
}
