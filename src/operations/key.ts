import { z } from 'zod';
import { cannot } from '../kernel/errors.ts';
import { addKeySlot, removeKeySlot } from '../store/repository.ts';
import type { Operation } from './operation.ts';
import { LOCK_WAIT_MS } from './repository-access.ts';
import { readKey } from './repository-key.ts';

const path = z.string().startsWith('/').max(4096);

const parameters = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('add'), kind: z.enum(['keyFile', 'passphrase']), path }),
  z.strictObject({ action: z.literal('remove'), keyId: z.string().min(4).max(36) }),
]);

/** Lets one more key open the repository, or one fewer. Keys are named by their file; what is in it is nowhere else. */
export const key: Operation<z.infer<typeof parameters>> = {
  kind: 'key',
  params: parameters,
  async run({ settings, clock, activity }, params) {
    const { repositoryDirectory, repositoryKey, stateDirectory } = settings;
    if (repositoryKey === null) {
      throw cannot('KEY_REQUIRED', 'change keys of', repositoryDirectory, 'none is configured', {
        hint: 'Name its key in the configuration: repositoryKey.',
      });
    }
    const own = await readKey(repositoryKey, stateDirectory);
    const options = { key: own, clock, lockWaitMs: LOCK_WAIT_MS, signal: activity.signal };
    if (params.action === 'remove') {
      return { removed: await removeKeySlot(repositoryDirectory, params.keyId, options) };
    }
    const named = {
      keyFile: params.kind === 'keyFile' ? params.path : null,
      passphraseFile: params.kind === 'passphrase' ? params.path : null,
      secret: null,
    };
    const added = await readKey(named, stateDirectory);
    return { added: await addKeySlot(repositoryDirectory, added, options) };
  },
};
