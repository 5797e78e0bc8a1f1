import { z } from 'zod';
import { type Options, required, withDefault } from '../option.ts';
import { absolutePath } from '../option-values.ts';
import { choice, toggle } from './option-shapes.ts';

export const rootOptions = {
  class: choice(
    ['data', 'config', 'extra'],
    'data',
    'A source has at most one `data` and one `config` root, and any number of `extra` ones.',
  ),
  name: withDefault(
    z
      .string()
      .regex(
        /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
        'expected 1 to 64 of A-Z, a-z, 0-9, dot, underscore and hyphen',
      )
      .nullable(),
    null,
    {
      type: 'text',
      absent: 'none',
      help: 'Names an `extra` root, and only such a one; its files are `extra/<name>/…` in a snapshot.',
    },
  ),
  path: required(absolutePath, {
    type: 'absolute path',
    help: 'The directory. It may be missing when the daemon starts.',
  }),
  include: withDefault(z.array(z.string().min(1).max(1024)).max(1024), [], {
    type: 'list of patterns',
    absent: 'everything',
    help: 'If given, only these of its files are captured, relative to the directory: `*.yaml`.',
  }),
  required: toggle(true, 'Whether a backup fails while the directory is missing, or only warns.'),
} satisfies Options;
