import { createHash, hkdf, randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { z } from 'zod';
import { canonicalJson } from '../format/canonical-json.ts';
import type { SlotMaterial } from './key-material.ts';
import { KEY_BYTES, SEAL_BYTES, SealingKey } from './sealing-key.ts';

/** One key slot: the master key, sealed under a key of a person (docs/format.md, Encryption). */

const hkdfKey = promisify(hkdf);
const scryptKey = promisify<Buffer, Buffer, number, object, Buffer>(scrypt);

const SALT_BYTES = 32;
const SCRYPT_MEMORY_MAX = 1024 * 1024 * 1024;
/** What new slots get: 128 MiB, a good part of a second. */
const SCRYPT = { cost: 131_072, blockSize: 8, parallelization: 1 };

/** One job opens a repository several times, and stretching a passphrase is meant to take long. */
const STRETCHED_MAX = 16;
const stretched = new Map<string, Buffer>();

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value));

const scryptParameters = z
  .strictObject({
    name: z.literal('scrypt'),
    cost: z.int().min(16_384).max(1_048_576).refine(isPowerOfTwo),
    blockSize: z.int().min(8).max(16),
    parallelization: z.int().min(1).max(4),
    salt: hex(SALT_BYTES),
  })
  .refine(({ cost, blockSize }) => 128 * cost * blockSize <= SCRYPT_MEMORY_MAX);

export const keySlotSchema = z.strictObject({
  format: z.literal(1),
  id: z.uuid(),
  repository: z.uuid(),
  createdAt: z.iso.datetime(),
  kdf: z.union([
    z.strictObject({ name: z.literal('hkdf-sha256'), salt: hex(SALT_BYTES) }),
    scryptParameters,
  ]),
  wrapped: hex(KEY_BYTES + SEAL_BYTES),
});

export type KeySlot = z.infer<typeof keySlotSchema>;

export interface NewKeySlot {
  readonly id: string;
  readonly repository: string;
  /** ISO 8601 UTC. */
  readonly createdAt: string;
}

export async function wrapMasterKey(
  master: Uint8Array,
  material: SlotMaterial,
  { id, repository, createdAt }: NewKeySlot,
): Promise<KeySlot> {
  const salt = randomBytes(SALT_BYTES).toString('hex');
  const kdf: KeySlot['kdf'] =
    material.kind === 'keyFile'
      ? { name: 'hkdf-sha256', salt }
      : { name: 'scrypt', ...SCRYPT, salt };
  const slot = { format: 1 as const, id, repository, createdAt, kdf };
  const key = new SealingKey(await wrappingKey(kdf, material.bytes));
  return { ...slot, wrapped: key.seal(master, associatedData(slot)).toString('hex') };
}

/** The master key; null where `material` does not open this slot. */
export async function unwrapMasterKey(
  { wrapped, ...slot }: KeySlot,
  material: SlotMaterial,
): Promise<Buffer | null> {
  if ((slot.kdf.name === 'scrypt') !== (material.kind === 'passphrase')) return null;
  const key = new SealingKey(await wrappingKey(slot.kdf, material.bytes));
  try {
    return key.open(Buffer.from(wrapped, 'hex'), associatedData(slot));
  } catch {
    // Another key, or a slot that was changed: nobody can tell which.
    return null;
  }
}

async function wrappingKey(kdf: KeySlot['kdf'], bytes: Buffer): Promise<Buffer> {
  const salt = Buffer.from(kdf.salt, 'hex');
  if (kdf.name === 'hkdf-sha256') {
    return Buffer.from(await hkdfKey('sha256', bytes, salt, 'holdfast 1 key file', KEY_BYTES));
  }
  const { cost, blockSize, parallelization } = kdf;
  const name = createHash('sha256').update(JSON.stringify(kdf)).update(bytes).digest('hex');
  const known = stretched.get(name);
  if (known !== undefined) return known;
  // Twice what the algorithm needs: the limit counts a little besides.
  const maxmem = 256 * cost * blockSize;
  const options = { cost, blockSize, parallelization, maxmem };
  const key = await scryptKey(bytes, salt, KEY_BYTES, options);
  if (stretched.size >= STRETCHED_MAX) stretched.clear();
  stretched.set(name, key);
  return key;
}

function associatedData(slot: Omit<KeySlot, 'wrapped'>): Buffer {
  return Buffer.from(`holdfast 1 key slot\0${canonicalJson(slot)}`);
}
