import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { cannot, type HoldfastError, systemCode } from '../../kernel/errors.ts';
import { canonicalJson } from '../format/canonical-json.ts';
import { type Layout, manifestPath } from '../layout.ts';
import type { Manifest } from './manifest.ts';
import { assertManifest, parseManifest } from './manifest-schema.ts';

/** The bytes of a manifest and the id that they give it. @throws INVALID_PARAMS when a reader would refuse it */
export function encodeManifest(manifest: Manifest): { id: string; bytes: Buffer } {
  assertManifest(manifest);
  const bytes = Buffer.from(canonicalJson(manifest));
  return { id: createHash('sha256').update(bytes).digest('hex'), bytes };
}

/** @throws NOT_FOUND, VERIFY_FAILED, REPO_CORRUPT, UNSUPPORTED_FORMAT */
export async function readManifestFile(layout: Layout, id: string): Promise<Manifest> {
  const bytes = await readFile(manifestPath(layout, id)).catch((error) => {
    throw missing(id, error);
  });
  return verified(id, bytes);
}

/** The same, for listing. */
export function readManifestFileSync(layout: Layout, id: string): Manifest {
  let bytes: Buffer;
  try {
    bytes = readFileSync(manifestPath(layout, id));
  } catch (error) {
    throw missing(id, error);
  }
  return verified(id, bytes);
}

function missing(id: string, error: unknown): unknown {
  if (systemCode(error) !== 'ENOENT') return error;
  return cannot('NOT_FOUND', 'read snapshot', id, 'no snapshot has this id');
}

function verified(id: string, bytes: Buffer): Manifest {
  if (createHash('sha256').update(bytes).digest('hex') !== id) throw damaged(id);
  return parseManifest(id, bytes);
}

function damaged(id: string): HoldfastError {
  return cannot('VERIFY_FAILED', 'read snapshot', id, 'its manifest does not hash to its id', {
    hint: 'The manifest is damaged. Other snapshots may still be restorable; run "holdfast check".',
    details: { snapshot: id },
  });
}
