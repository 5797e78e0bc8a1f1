import { z } from 'zod';
import { cannot } from '../kernel/errors.ts';
import { addKeySlot, removeKeySlot, rotateKeySlot } from '../store/repository.ts';
import type { Operation } from './operation.ts';
import { LOCK_WAIT_MS } from './repository-access.ts';
import { readKey } from './repository-key.ts';
import { headMemory } from './seen-heads.ts';

const path = z.string().startsWith('/').max(4096);
const keyId = z.string().min(4).max(36);

const parameters = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('add'), kind: z.enum(['keyFile', 'passphrase']), path }),
  z.strictObject({ action: z.literal('remove'), keyId }),
  z.strictObject({
    action: z.literal('rotate'),
    kind: z.enum(['keyFile', 'passphrase']),
    path,
    /** Absent: the one that is configured. */
    keyId: keyId.optional(),
  }),
]);

/** Lets one more key open the repository, one fewer, or one in the place of another. Keys are named by their file; what is in it is nowhere else. */
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
    const memory = await headMemory(settings);
    const options = { key: own, clock, lockWaitMs: LOCK_WAIT_MS, memory, signal: activity.signal };
    if (params.action === 'remove') {
      return { removed: await removeKeySlot(repositoryDirectory, params.keyId, options) };
    }
    const named = {
      keyFile: params.kind === 'keyFile' ? params.path : null,
      passphraseFile: params.kind === 'passphrase' ? params.path : null,
      secret: null,
    };
    const newKey = await readKey(named, stateDirectory);
    if (params.action === 'add') {
      return { added: await addKeySlot(repositoryDirectory, newKey, options) };
    }
    const rotated = await rotateKeySlot(repositoryDirectory, newKey, params.keyId ?? null, options);
    if (params.keyId === undefined) {
      activity.warn(
        `Name ${params.path} in the configuration (repositoryKey) before the next start`,
      );
    }
    return { ...rotated };
  },
};
