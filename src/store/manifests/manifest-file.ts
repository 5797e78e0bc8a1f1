import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { cannot, HoldfastError, systemCode } from '../../kernel/errors.ts';
import type { RepositoryKeys } from '../encryption/repository-keys.ts';
import { openDocument, sealDocument } from '../encryption/sealed-document.ts';
import { MANIFEST_BYTES_MAX } from '../format/bounds.ts';
import { canonicalJson } from '../format/canonical-json.ts';
import { type Layout, manifestPath } from '../layout.ts';
import type { Manifest } from './manifest.ts';
import { assertManifest, parseManifest } from './manifest-schema.ts';

/** A manifest's canonical JSON. @throws INVALID_PARAMS when a reader would refuse it */
export function manifestBytes(manifest: Manifest): Buffer {
  assertManifest(manifest);
  return Buffer.from(canonicalJson(manifest));
}

/** The id of a manifest, and its file's bytes. @throws INVALID_PARAMS when a reader would refuse it */
export function encodeManifest(
  { keys }: Pick<Layout, 'keys'>,
  manifest: Manifest,
): { id: string; bytes: Buffer } {
  const plain = manifestBytes(manifest);
  const id = idOf(plain, keys);
  return { id, bytes: keys === null ? plain : sealDocument(keys, 'manifest', id, plain) };
}

function idOf(plain: Buffer, keys: RepositoryKeys | null): string {
  const hash = keys === null ? createHash('sha256') : createHmac('sha256', keys.snapshotIds);
  return hash.update(plain).digest('hex');
}

/** @throws NOT_FOUND, VERIFY_FAILED, REPO_CORRUPT, UNSUPPORTED_FORMAT */
export async function readManifestFile(layout: Layout, id: string): Promise<Manifest> {
  const bytes = await readFile(manifestPath(layout, id)).catch((error) => {
    throw missing(id, error);
  });
  return verified(layout, id, bytes);
}

/** The same, for listing. */
export function readManifestFileSync(layout: Layout, id: string): Manifest {
  let bytes: Buffer;
  try {
    bytes = readFileSync(manifestPath(layout, id));
  } catch (error) {
    throw missing(id, error);
  }
  return verified(layout, id, bytes);
}

/** The manifest that these bytes are, or null where they are not those of this id. */
export function manifestFrom(layout: Layout, id: string, bytes: Buffer): Manifest | null {
  if (layout.keys === null && idOf(bytes, null) !== id) return null;
  try {
    return verified(layout, id, bytes);
  } catch (error) {
    if (error instanceof HoldfastError) return null;
    throw error;
  }
}

function missing(id: string, error: unknown): unknown {
  if (systemCode(error) !== 'ENOENT') return error;
  return cannot('NOT_FOUND', 'read snapshot', id, 'no snapshot has this id');
}

function verified({ keys }: Layout, id: string, bytes: Buffer): Manifest {
  const plain = keys === null ? bytes : opened(keys, id, bytes);
  if (idOf(plain, keys) !== id) throw damaged(id, 'its manifest does not hash to its id');
  return parseManifest(id, plain);
}

function opened(keys: RepositoryKeys, id: string, bytes: Buffer): Buffer {
  try {
    return openDocument(keys, 'manifest', id, bytes, MANIFEST_BYTES_MAX);
  } catch (error) {
    throw damaged(id, 'its manifest is not the one that was sealed under its id', error);
  }
}

function damaged(id: string, state: string, cause?: unknown): HoldfastError {
  return cannot('VERIFY_FAILED', 'read snapshot', id, state, {
    hint: 'The manifest is damaged. Other snapshots may still be restorable; run "holdfast check".',
    details: { snapshot: id },
    cause,
  });
}
