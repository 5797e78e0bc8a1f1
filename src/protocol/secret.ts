import { z } from 'zod';
import { nothing, time } from './scalars.ts';

const secretName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,63}$/,
    'must be 1 to 64 of a-z, 0-9, dot, underscore and hyphen, beginning with a letter or digit',
  );

export const secretMethods = {
  'secret.set': {
    summary: 'Keeps a value that is then never shown again, by a name that settings may refer to.',
    params: z.strictObject({
      name: secretName,
      /** Text, kept as UTF-8. */
      value: z.string().min(1).max(16_384),
    }),
    result: z.object({ name: z.string() }),
  },
  'secret.clear': {
    summary: 'Forgets a secret.',
    params: z.strictObject({ name: secretName }),
    result: z.object({ name: z.string() }),
  },
  'secret.list': {
    summary: 'Names of the secrets, and when each was set; never their values.',
    params: nothing,
    result: z.object({ items: z.array(z.object({ name: z.string(), setAt: time })) }),
  },
};
