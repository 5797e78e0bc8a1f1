import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { ArtifactSignature } from '../../artifacts/portable/manifest.ts';
import {
  type ArtifactKey,
  publicKeyName,
  signatureOf,
} from '../../artifacts/portable/signature.ts';
import type { Settings } from '../../config/settings.ts';
import { cannot, messageOf } from '../../kernel/errors.ts';
import { SecretStore } from '../../state/secret-store.ts';

/** The keys that artifacts are signed and verified with. */

type KeySettings = Pick<Settings, 'artifacts' | 'stateDirectory'>;

const OTHERS_MAY = 0o077;

async function secretKey(name: string, stateDirectory: string): Promise<ArtifactKey> {
  const secret = await new SecretStore(stateDirectory).read(name);
  if (secret !== null) return { algorithm: 'hmac-sha256', name, secret };
  throw cannot('NOT_FOUND', 'use secret', name, 'there is none of this name', {
    hint: `Set it: holdfast secret set ${name}. Or change the settings of artifacts.`,
  });
}

function unusable(path: string, state: string): Error {
  return cannot('CONFIG_INVALID', 'sign with', path, state, {
    hint: 'artifacts.signWith.privateKeyPath names an Ed25519 private key in PEM form, 0600.',
  });
}

async function privateKey(path: string): Promise<KeyObject> {
  const { mode } = await stat(path).catch((error: unknown) => {
    throw unusable(path, messageOf(error));
  });
  if ((mode & OTHERS_MAY) !== 0) throw unusable(path, 'others may read it');
  const pem = await readFile(path);
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Not the parser's words: they may quote the key.
  }
  throw unusable(path, 'it is no Ed25519 private key');
}

/** Null where artifacts are not signed. @throws NOT_FOUND, CONFIG_INVALID */
export async function signerOf(
  { artifacts: { signWith }, stateDirectory }: KeySettings,
  secretsIn: string = stateDirectory,
): Promise<((bytes: Buffer) => ArtifactSignature) | null> {
  const { hmacSecret, privateKeyPath } = signWith;
  if (hmacSecret !== null) {
    const key = await secretKey(hmacSecret, secretsIn);
    return (bytes) => signatureOf(bytes, key, hmacSecret);
  }
  if (privateKeyPath === null) return null;
  const key = await privateKey(privateKeyPath);
  const name = publicKeyName(createPublicKey(key));
  return (bytes) => signatureOf(bytes, { algorithm: 'ed25519', key }, name);
}

/** Empty where signatures are not asked for. @throws NOT_FOUND */
export async function verifyKeysOf(
  { artifacts: { verifyWith }, stateDirectory }: KeySettings,
  secretsIn: string = stateDirectory,
): Promise<ArtifactKey[]> {
  const keys: ArtifactKey[] = [];
  for (const { hmacSecret, publicKey } of verifyWith) {
    if (hmacSecret !== null) keys.push(await secretKey(hmacSecret, secretsIn));
    if (publicKey === null) continue;
    keys.push({ algorithm: 'ed25519', key: createPublicKey(publicKey) });
  }
  return keys;
}
