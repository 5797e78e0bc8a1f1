import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Settings } from '../config/settings.ts';
import { syncDirectory, syncFile } from '../files/durable.ts';
import { durableStep } from '../files/durable-steps.ts';
import { cannot } from '../kernel/errors.ts';
import { initRepository } from '../store/repository.ts';
import type { Operation } from './operation.ts';
import { withReader } from './repository-access.ts';
import { KEY_BYTES, repositoryKey } from './repository-key.ts';

const parameters = z.strictObject({ encrypt: z.boolean().default(false) });

/** Makes the repository where there is none, and leaves one that is there as it is. Encrypted where a key is configured. */
export const init: Operation<z.infer<typeof parameters>> = {
  kind: 'init',
  params: parameters,
  async run({ settings, clock, activity }, { encrypt }) {
    const { repositoryDirectory: path } = settings;
    const keyFileMade = encrypt ? await makeKeyFile(settings) : null;
    if (keyFileMade !== null) {
      activity.log(`Keep a copy of ${keyFileMade} elsewhere: without it nothing can be restored.`);
    }
    const key = await repositoryKey(settings);
    await initRepository(path, { clock, key });
    return withReader(settings, async ({ repositoryId }) => {
      return { path, repositoryId, encrypted: key !== null, keyFileMade };
    });
  },
};

/** The key file that was made; null where there was one, or a passphrase. Never for a repository that is there. */
async function makeKeyFile({
  repositoryKey: settings,
  repositoryDirectory,
}: Settings): Promise<string | null> {
  if (settings === null) {
    throw cannot('KEY_REQUIRED', 'encrypt', repositoryDirectory, 'no key is configured', {
      hint: 'Name one in the configuration (repositoryKey), or without a daemon with --key-file or --passphrase-file.',
    });
  }
  const { keyFile } = settings;
  if (keyFile === null || existsSync(keyFile)) return null;
  if (existsSync(join(repositoryDirectory, 'holdfast.json'))) return null;
  await writeNewFile(keyFile, `${randomBytes(KEY_BYTES).toString('hex')}\n`);
  return keyFile;
}

/** Never over one that somebody else made meanwhile: it may be in use already. */
async function writeNewFile(path: string, content: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await durableStep('write', path, () => handle.writeFile(content));
    await syncFile(handle, path);
  } finally {
    await handle.close();
  }
  await syncDirectory(dirname(path));
}
