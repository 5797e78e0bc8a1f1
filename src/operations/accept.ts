import { z } from 'zod';
import { acceptHead } from '../store/repository.ts';
import type { Operation } from './operation.ts';
import { LOCK_WAIT_MS } from './repository-access.ts';
import { repositoryKey } from './repository-key.ts';
import { headMemory } from './seen-heads.ts';

const parameters = z.strictObject({});

/** Takes an encrypted repository as it stands for right, once a person has looked what was changed in it. */
export const accept: Operation<z.infer<typeof parameters>> = {
  kind: 'accept',
  params: parameters,
  async run({ settings, clock, activity }) {
    const accepted = await acceptHead(settings.repositoryDirectory, {
      clock,
      key: await repositoryKey(settings),
      lockWaitMs: LOCK_WAIT_MS,
      memory: await headMemory(settings),
      signal: activity.signal,
    });
    for (const { message } of accepted.slice(0, 100)) activity.log(`accepted: ${message}`);
    return { accepted: accepted.slice(0, 200), count: accepted.length };
  },
};
