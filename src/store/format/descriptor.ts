import { z } from 'zod';
import { cannot } from '../../kernel/errors.ts';
import { CHUNK_BYTES } from '../../kernel/limits.ts';
import { DESCRIPTOR_BYTES_MAX, FORMAT } from './bounds.ts';

/** `holdfast.json`: what a repository is. */
export interface Descriptor {
  readonly format: typeof FORMAT;
  readonly id: string;
  readonly chunkBytes: number;
  readonly hash: 'sha256';
  readonly encryption: EncryptionScheme | null;
  /** In which everything but description, lock and leases stands; absent: beside them. */
  readonly folder?: string | undefined;
}

/** The only one there is; docs/format.md, Encryption. */
export interface EncryptionScheme {
  readonly cipher: 'xaes-256-gcm';
  readonly ids: 'hmac-sha256';
  readonly scheme: 1;
}

export const ENCRYPTION_SCHEME: EncryptionScheme = {
  cipher: 'xaes-256-gcm',
  ids: 'hmac-sha256',
  scheme: 1,
};

export const DATA_FOLDER = /^data-[0-9a-f]{16}$/;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const schema = z.strictObject({
  format: z.literal(FORMAT),
  id: z.string().regex(UUID),
  chunkBytes: z.literal(CHUNK_BYTES),
  hash: z.literal('sha256'),
  encryption: z
    .strictObject({
      cipher: z.literal('xaes-256-gcm'),
      ids: z.literal('hmac-sha256'),
      scheme: z.literal(1),
    })
    .nullable(),
  folder: z.string().regex(DATA_FOLDER).optional(),
});

export function newDescriptor(id: string, encryption: EncryptionScheme | null): Descriptor {
  return { format: FORMAT, id, chunkBytes: CHUNK_BYTES, hash: 'sha256', encryption };
}

/** @throws REPO_CORRUPT when it is not JSON, UNSUPPORTED_FORMAT when it is not format 1 exactly */
export function parseDescriptor(bytes: Buffer, path: string): Descriptor {
  let document: unknown;
  try {
    if (bytes.length > DESCRIPTOR_BYTES_MAX) throw new Error(`${bytes.length} bytes long`);
    document = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw cannot('REPO_CORRUPT', 'read', path, 'it is not a repository description', {
      hint: 'Restore holdfast.json from a replica; packs and snapshots are not affected by it.',
      cause: error,
    });
  }
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw cannot('UNSUPPORTED_FORMAT', 'open repository', path, firstIssue(parsed.error), {
    hint: 'It was written by another version of Holdfast, or is damaged; use the version that wrote it.',
  });
}

/** Where and what the first disagreement is, on one line. */
export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'invalid';
  return `${issue.path.join('.') || 'document'}: ${issue.message}`;
}
