import { createCipheriv, createDecipheriv, randomFillSync } from 'node:crypto';
import { cannot } from '../../kernel/errors.ts';

/** Sealed bytes are nonce, ciphertext, tag (docs/format.md, Encryption). */

export const KEY_BYTES = 32;
export const NONCE_BYTES = 24;
const TAG_BYTES = 16;
/** What sealed bytes are longer than what they hold. */
export const SEAL_BYTES = NONCE_BYTES + TAG_BYTES;

const BLOCK_BYTES = 16;
const INNER_BYTES = 12;
/** Asked of the system in one piece: asking for each message would cost as much as sealing a small one. */
const randomPool = Buffer.allocUnsafeSlow(NONCE_BYTES * 128);
let randomUsed = randomPool.length;

function freshNonce(target: Buffer): void {
  if (randomUsed === randomPool.length) {
    randomFillSync(randomPool);
    randomUsed = 0;
  }
  randomPool.copy(target, 0, randomUsed, randomUsed + NONCE_BYTES);
  randomUsed += NONCE_BYTES;
}

/** XAES-256-GCM: every message has an AES-256-GCM key and nonce of its own, made of 24 random bytes. */
export class SealingKey {
  /** Without state of its own: each block by itself. */
  readonly #blocks: ReturnType<typeof createCipheriv>;
  readonly #mask: Buffer;

  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes`);
    this.#blocks = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
    this.#mask = doubled(this.#blocks.update(Buffer.alloc(BLOCK_BYTES)));
  }

  /** `nonce` is for known answers alone: used twice, it gives both messages away. */
  seal(plain: Uint8Array, associated: Uint8Array, nonce?: Uint8Array): Buffer {
    const sealed = Buffer.allocUnsafeSlow(plain.length + SEAL_BYTES);
    if (nonce === undefined) freshNonce(sealed);
    else sealed.set(nonce.subarray(0, NONCE_BYTES));
    const cipher = createCipheriv(
      'aes-256-gcm',
      this.#keyOf(sealed),
      sealed.subarray(INNER_BYTES, NONCE_BYTES),
      { authTagLength: TAG_BYTES },
    );
    cipher.setAAD(associated);
    cipher.update(plain).copy(sealed, NONCE_BYTES);
    cipher.final();
    cipher.getAuthTag().copy(sealed, NONCE_BYTES + plain.length);
    return sealed;
  }

  /** @throws VERIFY_FAILED where anything of it, or what it is bound to, is not as it was sealed */
  open(sealed: Uint8Array, associated: Uint8Array): Buffer {
    const end = sealed.length - TAG_BYTES;
    if (end < NONCE_BYTES) throw notAuthentic('it is too short');
    const decipher = createDecipheriv(
      'aes-256-gcm',
      this.#keyOf(sealed),
      sealed.subarray(INNER_BYTES, NONCE_BYTES),
      { authTagLength: TAG_BYTES },
    );
    decipher.setAAD(associated);
    decipher.setAuthTag(sealed.subarray(end));
    const plain = decipher.update(sealed.subarray(NONCE_BYTES, end));
    try {
      decipher.final();
    } catch {
      throw notAuthentic('it is not what was written, or not where it was written');
    }
    return plain;
  }

  #keyOf(nonce: Uint8Array): Buffer {
    const blocks = Buffer.alloc(2 * BLOCK_BYTES);
    for (const [index, at] of [0, BLOCK_BYTES].entries()) {
      blocks[at + 1] = index + 1;
      blocks[at + 2] = 0x58;
      blocks.set(nonce.subarray(0, INNER_BYTES), at + 4);
      for (let byte = 0; byte < BLOCK_BYTES; byte += 1) blocks[at + byte]! ^= this.#mask[byte]!;
    }
    return this.#blocks.update(blocks);
  }
}

/** The block times x, as the subkeys of CMAC are made. */
function doubled(block: Buffer): Buffer {
  const result = Buffer.alloc(BLOCK_BYTES);
  for (let index = 0; index < BLOCK_BYTES; index += 1) {
    result[index] = ((block[index]! << 1) | ((block[index + 1] ?? 0) >> 7)) & 0xff;
  }
  if ((block[0]! & 0x80) !== 0) result[BLOCK_BYTES - 1]! ^= 0x87;
  return result;
}

function notAuthentic(state: string): Error {
  return cannot('VERIFY_FAILED', 'open', 'sealed bytes', state);
}
