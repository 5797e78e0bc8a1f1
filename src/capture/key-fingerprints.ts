import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { KeySettings, SourceSettings } from '../config/settings.ts';
import type { KeyFingerprint } from '../store/manifests/manifest.ts';

/** More than this is no key. */
const KEY_BYTES_MAX = 1024 * 1024;
/** So that the fingerprint of a key is the hash of nothing else. */
const DOMAIN = 'holdfast key fingerprint 1\0';

/**
 * Fingerprints of the keys that the application needs beside its data. 64 bits of a hash: enough to tell one key
 * from another, and nothing to get the key from.
 * @param secrets values of secrets by name; null where there is none
 */
export async function keyFingerprints(
  source: Pick<SourceSettings, 'keys'>,
  secrets: (name: string) => Promise<Buffer | null> = () => Promise.resolve(null),
): Promise<KeyFingerprint[]> {
  const found: KeyFingerprint[] = [];
  for (const key of source.keys) {
    const value = await readKey(key, secrets).catch(() => null);
    found.push({ name: key.name, fingerprint: value === null ? null : fingerprintOf(value) });
  }
  return found;
}

/** Names of keys that are known to differ from those that a snapshot was taken beside. */
export function differingKeys(
  taken: readonly KeyFingerprint[],
  present: readonly KeyFingerprint[],
): string[] {
  return taken.flatMap(({ name, fingerprint }) => {
    const now = present.find((key) => key.name === name)?.fingerprint ?? null;
    return fingerprint !== null && now !== null && fingerprint !== now ? [name] : [];
  });
}

async function readKey(
  { path, secret }: KeySettings,
  secrets: (name: string) => Promise<Buffer | null>,
): Promise<Buffer | null> {
  if (path === null) return secret === null ? null : secrets(secret);
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    return size > KEY_BYTES_MAX ? null : await handle.readFile();
  } finally {
    await handle.close();
  }
}

function fingerprintOf(value: Buffer): string {
  return createHash('sha256').update(DOMAIN).update(value).digest('hex').slice(0, 16);
}
