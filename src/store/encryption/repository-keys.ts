import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { KEY_BYTES, SealingKey } from './sealing-key.ts';

/** The keys of an open repository, each for one purpose. Plain data, so that threads can be handed them. */
export interface RepositoryKeys {
  readonly repositoryId: string;
  readonly objectIds: Uint8Array;
  readonly records: Uint8Array;
  readonly packs: Uint8Array;
  readonly snapshotIds: Uint8Array;
  readonly documents: Uint8Array;
}

export const newMasterKey = (): Buffer => randomBytes(KEY_BYTES);

export function deriveKeys(master: Uint8Array, repositoryId: string): RepositoryKeys {
  const salt = rawUuid(repositoryId);
  const derive = (purpose: string): Uint8Array =>
    new Uint8Array(hkdfSync('sha256', master, salt, `holdfast 1 ${purpose}`, KEY_BYTES));
  return {
    repositoryId,
    objectIds: derive('object ids'),
    records: derive('records'),
    packs: derive('packs'),
    snapshotIds: derive('snapshot ids'),
    documents: derive('documents'),
  };
}

export const rawUuid = (id: string): Buffer => Buffer.from(id.replaceAll('-', ''), 'hex');

/** HMAC-SHA-256, raw. */
export const keyedHash = (key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer =>
  parts.reduce((hmac, part) => hmac.update(part), createHmac('sha256', key)).digest();

const KEPT_MAX = 8;
const kept = new Map<string, SealingKey>();

/** Setting a key up costs more than sealing a small record with it. */
export function sealingKeyOf(key: Uint8Array): SealingKey {
  const name = Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
  const known = kept.get(name);
  if (known !== undefined) return known;
  const made = new SealingKey(key);
  if (kept.size >= KEPT_MAX) kept.delete(kept.keys().next().value!);
  kept.set(name, made);
  return made;
}
