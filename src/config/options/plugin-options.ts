import { z } from 'zod';
import { computed, type Options, withDefault } from '../option.ts';
import { absolutePath, identifier } from '../option-values.ts';
import { PLUGIN_PRESETS, type PluginPresetName } from '../plugin-presets.ts';
import { COMMAND_TYPE, commandSchema } from './command-option.ts';
import { durationOption, HOUR_MS, SECOND_MS } from './option-shapes.ts';

const presetNames = Object.keys(PLUGIN_PRESETS) as [PluginPresetName, ...PluginPresetName[]];

const glob = z
  .string()
  .min(1, 'an empty pattern matches nothing')
  .max(1024)
  .refine((text) => !text.startsWith('/'), 'expected a pattern relative to the directory')
  .refine((text) => !text.split('/').includes('..'), 'it leaves the directory');

export const pluginOptions = {
  preset: withDefault(z.enum(presetNames).nullable(), null, {
    type: presetNames.map((name) => `\`${name}\``).join(' · '),
    absent: 'none',
    help: 'Fills in what is not given below.',
  }),
  name: computed(identifier, {
    type: 'identifier',
    absent: 'that of the preset',
    help: 'Unique in the source.',
  }),
  command: computed(commandSchema.nullable(), {
    type: COMMAND_TYPE,
    absent: 'that of the preset, or none: files are collected as they are',
    help: 'Writes what is to be collected. Runs in the directory, before the backup reads anything. If it fails, the backup goes on without the files of this plugin.',
  }),
  directory: computed(absolutePath, {
    type: 'absolute path',
    absent: 'the first root of the source',
    help: 'Where the command runs and the files lie. Outside every root of the source it becomes one of its own, `extra/plugin-<name>`.',
  }),
  include: computed(z.array(glob).max(100, 'expected at most 100 patterns'), {
    type: 'list of patterns',
    absent: 'those of the preset, or none',
    help: 'Which files are collected, relative to the directory. Symlinks are not followed; a pattern that matches nothing is a warning.',
  }),
  restoreCommand: withDefault(commandSchema.nullable(), null, {
    type: COMMAND_TYPE,
    absent: 'none',
    help: 'Runs after a restore in place put the files back.',
  }),
  timeoutMs: durationOption(
    60 * SECOND_MS,
    { min: SECOND_MS, max: HOUR_MS },
    'How long each of the commands may take.',
  ),
} satisfies Options;
