import { createHmac, hash } from 'node:crypto';
import { CHUNK_BYTES } from '../../kernel/limits.ts';

/** SHA-256 of an object's plaintext, or with the id key of an encrypted repository its HMAC; lower-case hex. */
export function objectId(plain: Uint8Array, key: Uint8Array | null): string {
  if (plain.length === CHUNK_BYTES && isZero(plain)) return zeroChunkId(key);
  return digest(plain, key);
}

function digest(plain: Uint8Array, key: Uint8Array | null): string {
  if (key === null) return hash('sha256', plain, 'hex');
  return createHmac('sha256', key).update(plain).digest('hex');
}

const zeroChunk = Buffer.alloc(CHUNK_BYTES);
/** Of the keys seen last: a process has one repository, seldom more. */
let zeroChunkKnown: { readonly key: Uint8Array | null; readonly id: string } | null = null;

function zeroChunkId(key: Uint8Array | null): string {
  if (zeroChunkKnown === null || !sameKey(zeroChunkKnown.key, key)) {
    zeroChunkKnown = { key, id: digest(zeroChunk, key) };
  }
  return zeroChunkKnown.id;
}

function sameKey(left: Uint8Array | null, right: Uint8Array | null): boolean {
  if (left === null || right === null) return left === right;
  return Buffer.compare(left, right) === 0;
}

// Comparing costs a small part of hashing, and most buffers differ at once.
function isZero(plain: Uint8Array): boolean {
  return plain[0] === 0 && zeroChunk.equals(plain);
}

/** True for 64 lower-case hex digits. */
export function isObjectId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
