import { z } from 'zod';
import { type Options, required, withDefault } from '../option.ts';
import { absolutePath, identifier } from '../option-values.ts';

export const keyOptions = {
  name: required(identifier, { type: 'identifier', help: 'Unique in the source.' }),
  path: withDefault(absolutePath.nullable(), null, {
    type: 'absolute path',
    absent: 'none',
    help: 'The file that is the key.',
  }),
  secret: withDefault(
    z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/)
      .nullable(),
    null,
    {
      type: 'identifier',
      absent: 'none',
      help: 'Instead of a path: the name of a secret, as given to `holdfast secret set`.',
    },
  ),
} satisfies Options;
