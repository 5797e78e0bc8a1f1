import { z } from 'zod';
import { type Options, objectOf, required, withDefault } from '../option.ts';
import { COMMAND_TYPE, commandSchema } from './command-option.ts';
import { durationOption, HOUR_MS, SECOND_MS, toggle } from './option-shapes.ts';

export const hookOptions = {
  command: required(commandSchema, {
    type: COMMAND_TYPE,
    help: 'What is run, in the first root of the source, with next to no environment: PATH, HOME, LANG, TZ and `HOLDFAST_…`: docs/operations.md lists them.',
  }),
  timeoutMs: durationOption(
    60 * SECOND_MS,
    { min: SECOND_MS, max: HOUR_MS },
    'How long it may take. Then it is ended, with all that it started.',
  ),
  continueOnError: toggle(
    false,
    'Whether the job goes on where a hook before it failed. A hook after it never changes how the job ended.',
  ),
  legacyNames: toggle(
    false,
    'Whether it also gets `THRUM_BACKUP_DIR`, `THRUM_BACKUP_REPO` and `THRUM_BACKUP_CURRENT`.',
  ),
} satisfies Options;

const hook = z.preprocess(
  (value) => (typeof value === 'string' || Array.isArray(value) ? { command: value } : value),
  objectOf(hookOptions),
);

/** A command is the short form of a hook; `false` is none, where otherwise the top level's would hold. */
const hookOrNone = z.union([z.literal(false), hook]).nullable();

const phase = (help: string) =>
  withDefault(hookOrNone, null, {
    type: 'hook · command · `false`',
    absent: 'the top-level one',
    help,
  });

export const hooksOptions = {
  pre: phase('Before a backup reads anything. If it fails, there is no backup.'),
  post: phase('After a backup, however it ended: `HOLDFAST_JOB_STATUS` says how.'),
  preRestore: phase(
    'Before a restore in place stops or replaces anything. If it fails, nothing is.',
  ),
  postRestore: phase('After a restore in place, however it ended.'),
} satisfies Options;
