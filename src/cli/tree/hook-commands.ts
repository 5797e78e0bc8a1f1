import { Argument, type Command } from 'commander';
import { collect, durationMs } from '../option-parsers.ts';
import type { Perform } from './command-adapter.ts';

const PHASES = ['pre', 'post', 'preRestore', 'postRestore'];

/** Commands of the operator's around the work. */
export function addHookCommands(program: Command, perform: Perform): void {
  const hook = program.command('hook').description('commands before and after the work');
  hook
    .command('show', { isDefault: true })
    .description('those that hold for a source')
    .argument('<source>')
    .action(perform(async () => (await import('../commands/hooks.ts')).show));
  hook
    .command('set')
    .description('set one, of a source or for all that have none of their own')
    .addArgument(new Argument('<when>').choices(PHASES))
    .argument('[command]', 'for the shell')
    .option('--source <source>', 'of this source alone')
    .option('--timeout <duration>', 'how long it may take', durationMs)
    .option('--none', 'none, whatever the top level says')
    .option('--reset', 'as the configuration says')
    .action(perform(async () => (await import('../commands/hooks.ts')).set));
  hook
    .command('test')
    .description('run one alone')
    .argument('<source>')
    .addArgument(new Argument('<when>').choices(PHASES))
    .action(perform(async () => (await import('../commands/hooks.ts')).test));
  addPluginCommands(program, perform);
}

function addPluginCommands(program: Command, perform: Perform): void {
  const plugin = program.command('plugin').description('what collects files that a command writes');
  plugin
    .command('list', { isDefault: true })
    .description('those of a source')
    .argument('<source>')
    .action(perform(async () => (await import('../commands/hooks.ts')).plugins));
  plugin
    .command('presets')
    .description('those that need no more than their name')
    .action(perform(async () => (await import('../commands/hooks.ts')).presets));
  plugin
    .command('add')
    .description('add one, in place of the one of that name')
    .argument('<source>')
    .argument('[name]', 'may be left out with --preset')
    .option('--preset <name>', 'what fills in the rest')
    .option('--command <command>', 'writes the files')
    .option('--include <pattern>', 'which files, relative to the directory (repeatable)', collect)
    .option('--directory <path>', 'where')
    .option('--restore-command <command>', 'runs after they were put back')
    .action(perform(async () => (await import('../commands/hooks.ts')).addPlugin));
  plugin
    .command('remove')
    .description('take one away')
    .argument('<source>')
    .argument('<name>')
    .action(perform(async () => (await import('../commands/hooks.ts')).removePlugin));
  plugin
    .command('run')
    .description('run one alone, and count what it would collect')
    .argument('<source>')
    .argument('<name>')
    .action(perform(async () => (await import('../commands/hooks.ts')).runPlugin));
}
