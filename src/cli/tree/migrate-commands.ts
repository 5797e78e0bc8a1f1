import type { Command } from 'commander';
import type { Perform } from './command-adapter.ts';
import { addPaging } from './paging.ts';

const load = () => import('../commands/migrate.ts');

/** `holdfast migrate`: an application's own migrations. */
export function addMigrateCommands(program: Command, perform: Perform): void {
  const migrate = program
    .command('migrate')
    .description("an application's own steps from one version of a database to the next");
  withDatabase(migrate.command('status', { isDefault: true }))
    .description('the version of each database, and what is still to be run')
    .action(perform(async () => (await load()).status));
  addPaging(withDatabase(migrate.command('history')))
    .description('steps that were tried, newest first')
    .action(perform(async () => (await load()).history));
  withDatabase(migrate.command('pending'))
    .description('the steps that lead to a version')
    .option('--to <version>', 'instead of the newest')
    .action(perform(async () => (await load()).pending));
  migrate
    .command('check')
    .description('whether a snapshot fits the steps of today')
    .argument('<id>', 'id, unique prefix of it, or latest')
    .option('--source <source>', 'which source latest means')
    .option('--force', 'report a newer or unknown version without failing')
    .action(perform(async () => (await load()).check));
  changing(migrate.command('up'))
    .description('run steps, on a copy that then takes the place of the database')
    .option('--to <version>', 'instead of the newest')
    .action(perform(async () => (await load()).up));
  changing(migrate.command('down'))
    .description('undo steps, the newest first')
    .requiredOption('--to <version>', 'the version to be at; 0.0.0: before every step')
    .action(perform(async () => (await load()).down));
}

const withDatabase = (command: Command): Command =>
  command
    .argument('[source]', 'id or name')
    .option('--database <path>', 'such as data/app.db, where the source has several');

const changing = (command: Command): Command =>
  withDatabase(command)
    .option('--dry-run', 'only show the steps')
    .option('--no-checkpoint', 'take no snapshot of the database first')
    .option('--force', 'also where a step changed after it had run')
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'follow the job to its end; the default')
    .option('--no-wait', 'end as soon as the job is accepted');
