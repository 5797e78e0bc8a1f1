import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { removeDurably, syncFile, temporaryPath } from '../files/durable.ts';
import { durableStep } from '../files/durable-steps.ts';
import { cannot } from '../kernel/errors.ts';
import { putInPlace } from './export/place.ts';
import { KEY_BYTES } from './repository-key.ts';

/** The key file that was made; null where there was one, or a passphrase. Never for a repository that is there. */
export async function makeKeyFile({
  repositoryKey: settings,
  repositoryDirectory,
}: Settings): Promise<string | null> {
  if (settings === null) {
    throw cannot('KEY_REQUIRED', 'encrypt', repositoryDirectory, 'no key is configured', {
      hint: 'Name one in the configuration (repositoryKey), or without a daemon with --key-file or --passphrase-file.',
    });
  }
  const { keyFile } = settings;
  if (keyFile === null) return null;
  await removeUnfinishedKeys(keyFile);
  if (existsSync(keyFile)) return null;
  if (existsSync(join(repositoryDirectory, 'holdfast.json'))) return null;
  await writeNewFile(keyFile, `${randomBytes(KEY_BYTES).toString('hex')}\n`);
  return keyFile;
}

/**
 * Whole or not at all: half a key opens nothing, and would be in the way of a whole one. Never over one that somebody
 * else made meanwhile: it may be in use already.
 */
async function writeNewFile(path: string, content: string): Promise<void> {
  const temporary = temporaryPath(path);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await durableStep('write', temporary, () => handle.writeFile(content));
    await syncFile(handle, temporary);
  } finally {
    await handle.close();
  }
  try {
    await putInPlace(temporary, path, false);
  } catch (error) {
    await removeDurably(temporary);
    throw error;
  }
}

/** A key that was never put in place, or its second name, must not lie about. */
async function removeUnfinishedKeys(path: string): Promise<void> {
  const names = await readdir(dirname(path)).catch(() => []);
  const prefix = `.${basename(path)}.`;
  for (const name of names) {
    const suffix = name.slice(prefix.length);
    if (name.startsWith(prefix) && /^[0-9a-f]{12}\.tmp$/.test(suffix)) {
      await removeDurably(join(dirname(path), name));
    }
  }
}
