import { type Options, required, withDefault } from '../option.ts';
import { COMMAND_TYPE, commandSchema } from './command-option.ts';
import { durationOption, HOUR_MS, SECOND_MS } from './option-shapes.ts';

export const serviceOptions = {
  stop: required(commandSchema, {
    type: COMMAND_TYPE,
    help: 'Stops the application, and ends when it has stopped. Text goes to `/bin/sh`.',
  }),
  start: required(commandSchema, {
    type: COMMAND_TYPE,
    help: 'Starts it again. If it fails after a restore, the old state is put back.',
  }),
  status: withDefault(commandSchema.nullable(), null, {
    type: COMMAND_TYPE,
    absent: 'it is taken for running',
    help: 'Exit code 0 where the application runs. Where it does not, it is neither stopped nor started.',
  }),
  afterRestore: withDefault(commandSchema.nullable(), null, {
    type: COMMAND_TYPE,
    absent: 'nothing',
    help: 'Runs when everything is in place and before the application starts: to build anew what is derived. If it fails, the old state is put back.',
  }),
  timeoutMs: durationOption(
    60 * SECOND_MS,
    { min: SECOND_MS, max: HOUR_MS },
    'How long each of these commands may take.',
  ),
} satisfies Options;
