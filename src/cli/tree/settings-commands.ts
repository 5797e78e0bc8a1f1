import type { Command } from 'commander';
import { collect, wholeNumber } from '../option-parsers.ts';
import type { Perform } from './command-adapter.ts';
import { addPaging } from './paging.ts';

/** What is protected and how, and what is kept secret. */
export function addSettingsCommands(program: Command, perform: Perform): void {
  const settings = program.command('settings').description('the settings in force');
  settings
    .command('get', { isDefault: true })
    .description('all of them, and where they come from')
    .action(perform(async () => (await import('../commands/settings.ts')).get));
  withVersion(settings.command('set'))
    .description('change some; null takes a change back: logLevel=debug quarantine.maxCount=20')
    .argument('<key=value...>')
    .action(perform(async () => (await import('../commands/settings.ts')).set));
  withVersion(settings.command('patch'))
    .description('change them by a JSON document')
    .argument('<file>', '- for stdin')
    .action(perform(async () => (await import('../commands/settings.ts')).patch));
  withVersion(settings.command('reset'))
    .description('take back what was changed; sources stay as they are')
    .action(perform(async () => (await import('../commands/settings.ts')).reset));
  addSourceCommands(program, perform);
  addSecretCommands(program, perform);
}

function withVersion(command: Command): Command {
  return command.option(
    '--expect-version <version>',
    'only if they are at this version',
    wholeNumber(0, Number.MAX_SAFE_INTEGER),
  );
}

function addSourceCommands(program: Command, perform: Perform): void {
  const source = program.command('source').description('the protected applications');
  addPaging(source.command('list', { isDefault: true }).description('all of them')).action(
    perform(async () => (await import('../commands/sources.ts')).list),
  );
  source
    .command('show')
    .description('one of them: databases, rules, schedules')
    .argument('<source>')
    .action(perform(async () => (await import('../commands/sources.ts')).show));
  addSourceChanges(source, perform);
  source
    .command('lint')
    .description('what is allowed but hardly meant (exit 3 if anything)')
    .argument('[source]')
    .action(perform(async () => (await import('../commands/source-changes.ts')).lint));
  source
    .command('coverage')
    .description('which files are in no snapshot, and why')
    .argument('<source>')
    .action(perform(async () => (await import('../commands/source-changes.ts')).coverage));
  source
    .command('discover')
    .description('databases below a directory')
    .argument('<directory>')
    .option('--depth <levels>', 'how deep to look', wholeNumber(0, 32), 8)
    .action(perform(async () => (await import('../commands/source-changes.ts')).discover));
}

function addSourceChanges(source: Command, perform: Perform): void {
  withVersion(source.command('add'))
    .description('protect one more application')
    .argument('<name>')
    .argument('[directory...]', 'its data directory')
    .option('--set <key=value>', 'an option of it (repeatable)', collect)
    .option('--from <file>', 'the source as a JSON document; - for stdin')
    .action(perform(async () => (await import('../commands/source-changes.ts')).add));
  withVersion(source.command('update'))
    .description('change options of one; null takes a change back')
    .argument('<source>')
    .argument('[key=value...]')
    .option('--from <file>', 'a JSON document; - for stdin')
    .action(perform(async () => (await import('../commands/source-changes.ts')).update));
  withVersion(source.command('rename'))
    .description('call it something else')
    .argument('<source>')
    .argument('<name>')
    .action(perform(async () => (await import('../commands/source-changes.ts')).rename));
  withVersion(source.command('remove'))
    .description('protect it no longer; its snapshots stay')
    .argument('<source>')
    .option('-y, --yes', 'do not ask')
    .action(perform(async () => (await import('../commands/source-changes.ts')).remove));
  withVersion(source.command('reset'))
    .description('take back what was changed of it')
    .argument('<source>')
    .action(perform(async () => (await import('../commands/source-changes.ts')).reset));
}

function addSecretCommands(program: Command, perform: Perform): void {
  const secret = program.command('secret').description('values that settings refer to by name');
  secret
    .command('list', { isDefault: true })
    .description('their names')
    .action(perform(async () => (await import('../commands/secrets.ts')).list));
  secret
    .command('set')
    .description('keep the value that stdin gives')
    .argument('<name>')
    .action(perform(async () => (await import('../commands/secrets.ts')).set));
  secret
    .command('clear')
    .description('forget it')
    .argument('<name>')
    .action(perform(async () => (await import('../commands/secrets.ts')).clear));
}
