import { hash } from 'node:crypto';
import { CHUNK_BYTES } from '../../kernel/limits.ts';

/** SHA-256 of an object's plaintext, lower-case hex. */
export function objectId(plain: Uint8Array): string {
  if (plain.length === CHUNK_BYTES && isZero(plain)) return zeroChunkId;
  return hash('sha256', plain, 'hex');
}

const zeroChunk = Buffer.alloc(CHUNK_BYTES);
const zeroChunkId = hash('sha256', zeroChunk, 'hex');

// Comparing costs a small part of hashing, and most buffers differ at once.
function isZero(plain: Uint8Array): boolean {
  return plain[0] === 0 && zeroChunk.equals(plain);
}

/** True for 64 lower-case hex digits. */
export function isObjectId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
