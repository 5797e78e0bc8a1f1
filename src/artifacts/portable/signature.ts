import {
  createHash,
  createHmac,
  type KeyObject,
  sign as signBytes,
  timingSafeEqual,
  verify as verifyBytes,
} from 'node:crypto';
import { refuseAtGate } from './gate-refusal.ts';
import { type ArtifactManifest, type ArtifactSignature, signedBytes } from './manifest.ts';

export type ArtifactKey =
  | { readonly algorithm: 'hmac-sha256'; readonly name: string; readonly secret: Buffer }
  | { readonly algorithm: 'ed25519'; readonly key: KeyObject };

const hmacOf = (secret: Buffer, bytes: Buffer): Buffer =>
  createHmac('sha256', secret).update(bytes).digest();

/** 16 hex digits that tell one public key from another. */
export function publicKeyName(key: KeyObject): string {
  const der = key.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex').slice(0, 16);
}

/** @param key an HMAC key, or a private key; `name` is what a reader is told of it */
export function signatureOf(bytes: Buffer, key: ArtifactKey, name: string): ArtifactSignature {
  const { algorithm } = key;
  const value =
    algorithm === 'ed25519' ? signBytes(null, bytes, key.key) : hmacOf(key.secret, bytes);
  return { algorithm, key: name, value: value.toString('base64') };
}

function isSignedBy(bytes: Buffer, { algorithm, value }: ArtifactSignature, key: ArtifactKey) {
  if (key.algorithm !== algorithm) return false;
  const given = Buffer.from(value, 'base64');
  if (key.algorithm === 'ed25519') return verifyBytes(null, bytes, key.key, given);
  const wanted = hmacOf(key.secret, bytes);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** The gate `signature`: open where no key is configured. @throws VERIFY_FAILED */
export function requireSignature(
  manifest: ArtifactManifest,
  keys: readonly ArtifactKey[],
  artifact: string,
): void {
  if (keys.length === 0) return;
  const { signature } = manifest;
  if (signature === null) throw refuseAtGate('signature', artifact, 'it is not signed');
  const bytes = signedBytes(manifest);
  if (keys.some((key) => isSignedBy(bytes, signature, key))) return;
  const state = `no key of artifacts.verifyWith signed it (it names "${signature.key}")`;
  throw refuseAtGate('signature', artifact, state);
}
