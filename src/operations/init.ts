import { z } from 'zod';
import { initRepository } from '../store/repository.ts';
import { makeKeyFile } from './make-key-file.ts';
import type { Operation } from './operation.ts';
import { withReader } from './repository-access.ts';
import { repositoryKey } from './repository-key.ts';

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
