import { z } from 'zod';
import { cannot } from '../../kernel/errors.ts';
import { type RepositoryKeys, sealingKeyOf } from './repository-keys.ts';

/** Manifests, notes and summaries of an encrypted repository, each bound to its snapshot, and its head (docs/format.md). */

export type DocumentKind = 'manifest' | 'notes' | 'summary' | 'head';

const envelope = z.strictObject({ format: z.literal(1), sealed: z.base64() });
/** Base64, and what stands around it. */
const envelopeBytesMax = (plainBytesMax: number): number =>
  Math.ceil(((plainBytesMax + 64) * 4) / 3) + 64;

export function sealDocument(
  keys: RepositoryKeys,
  kind: DocumentKind,
  snapshotId: string,
  plain: Uint8Array,
): Buffer {
  const sealed = sealText(keys, kind, snapshotId, plain);
  return Buffer.from(`{"format":1,"sealed":"${sealed}"}`);
}

/** @throws VERIFY_FAILED where it is not that document of that snapshot as it was written */
export function openDocument(
  keys: RepositoryKeys,
  kind: DocumentKind,
  snapshotId: string,
  bytes: Buffer,
  plainBytesMax: number,
): Buffer {
  if (bytes.length > envelopeBytesMax(plainBytesMax)) {
    throw refused(kind, snapshotId, `it is ${bytes.length} bytes long`);
  }
  let document: z.infer<typeof envelope>;
  try {
    document = envelope.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    throw refused(kind, snapshotId, 'it is no sealed document');
  }
  // As it was written, to the byte: nothing may hide in white space or in a second spelling of the same base64.
  if (!bytes.equals(Buffer.from(`{"format":1,"sealed":"${document.sealed}"}`))) {
    throw refused(kind, snapshotId, 'it is not as it was written');
  }
  return openText(keys, kind, snapshotId, document.sealed);
}

export function sealText(
  keys: RepositoryKeys,
  kind: DocumentKind,
  snapshotId: string,
  plain: Uint8Array,
): string {
  const associated = associatedData(keys, kind, snapshotId);
  return sealingKeyOf(keys.documents).seal(plain, associated).toString('base64');
}

/** @throws VERIFY_FAILED */
export function openText(
  keys: RepositoryKeys,
  kind: DocumentKind,
  snapshotId: string,
  text: string,
): Buffer {
  const sealed = Buffer.from(text, 'base64');
  if (sealed.toString('base64') !== text) {
    throw refused(kind, snapshotId, 'it is not as it was written');
  }
  try {
    return sealingKeyOf(keys.documents).open(sealed, associatedData(keys, kind, snapshotId));
  } catch (error) {
    throw refused(kind, snapshotId, 'it was changed, or belongs elsewhere', error);
  }
}

function associatedData(
  { repositoryId }: RepositoryKeys,
  kind: DocumentKind,
  snapshotId: string,
): Buffer {
  return Buffer.from(`holdfast 1 ${kind}\0${repositoryId}\0${snapshotId}`);
}

function refused(kind: DocumentKind, snapshotId: string, state: string, cause?: unknown): Error {
  return cannot('VERIFY_FAILED', `open ${kind} of snapshot`, snapshotId, state, { cause });
}
