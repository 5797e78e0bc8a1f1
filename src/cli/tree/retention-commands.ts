import { type Command, Option } from 'commander';
import { collect, countOrAll, durationMs, wholeNumber } from '../option-parsers.ts';
import type { Perform } from './command-adapter.ts';
import { addPaging } from './paging.ts';

const KEEP_COUNTS = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;

/** Which snapshots stay, and the removal of the others. */
export function addRetentionCommands(program: Command, perform: Perform): void {
  const retention = program.command('retention').description('which snapshots stay');
  retention
    .command('show', { isDefault: true })
    .description('the policy of a source')
    .argument('[source]', 'may be left out where there is only one')
    .action(perform(async () => (await import('../commands/retention.ts')).show));
  const preview = addPaging(
    retention
      .command('preview')
      .description('what the policy would keep and remove now, and why; or another, given here'),
  ).argument('[source]', 'may be left out where there is only one');
  for (const each of KEEP_COUNTS) {
    preview.option(`--keep-${each} <number>`, `as keep${capitalised(each)}; -1: all`, countOrAll);
  }
  preview
    .option('--keep-within <duration>', 'all of this time before the newest', durationMs)
    .option('--max-age <duration>', 'all that are younger', durationMs)
    .option(
      '--min-good <number>',
      'of the good ones at least the newest',
      wholeNumber(1, 1_000_000),
    )
    .addOption(new Option('--pick <which>', 'of a day, a week').choices(['newest', 'oldest']))
    .option('--time-zone <zone>', 'where days begin')
    .addOption(
      new Option('--preset <name>', 'a policy by its name').choices(['gfs', 'count', 'age']),
    )
    .action(perform(async () => (await import('../commands/retention.ts')).preview));
  program
    .command('forget')
    .description('remove the snapshots that the retention policies do not keep')
    .argument('[source]', 'of this source only')
    .option(
      '--orphaned <id>',
      'all snapshots of a source that is no longer configured (repeatable)',
      collect,
    )
    .option('--dry-run', 'only tell what would be removed')
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'follow the job to its end; the default')
    .option('--no-wait', 'end as soon as the job is accepted')
    .action(perform(async () => (await import('../commands/forget.ts')).run));
}

const capitalised = (word: string): string => `${word[0]!.toUpperCase()}${word.slice(1)}`;
