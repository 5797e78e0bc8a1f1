import { z } from 'zod';
import { type Options, objectOf, withDefault } from '../option.ts';
import { absolutePath } from '../option-values.ts';

export const repositoryKeyOptions = {
  keyFile: withDefault(absolutePath.nullable(), null, {
    type: 'absolute path',
    absent: 'none',
    flag: '--key-file FILE',
    variable: 'HOLDFAST_KEY_FILE',
    help: 'A file that nobody but its owner may read (mode 0600): 32 random bytes, or the same as 64 hex digits. `holdfast repository init --encrypt` makes one where there is none.',
  }),
  passphraseFile: withDefault(absolutePath.nullable(), null, {
    type: 'absolute path',
    absent: 'none',
    flag: '--passphrase-file FILE',
    variable: 'HOLDFAST_PASSPHRASE_FILE',
    help: 'Instead of a key file: a file that nobody but its owner may read, with a passphrase on its only line.',
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
      help: 'Instead of a file: the name of a secret whose value is the passphrase, as given to `holdfast secret set`.',
    },
  ),
} satisfies Options;

/** Exactly one of them. */
export const repositoryKey = objectOf(repositoryKeyOptions)
  .refine(
    (key) => Object.values(key).filter((value) => value !== null).length === 1,
    'expected exactly one of keyFile, passphraseFile and secret',
  )
  .nullable();
