import { type Command, Option } from 'commander';
import type { Perform } from './command-adapter.ts';

/** What may be asked for by name of one database. */
export function addDatabaseCommands(program: Command, perform: Perform): void {
  const database = program
    .command('database')
    .description('one database of an application; nothing of this ever happens by itself');
  database
    .command('stats', { isDefault: true })
    .description('sizes, pages, what its WAL holds')
    .argument('<path>')
    .action(perform(async () => (await import('../commands/database.ts')).statistics));
  database
    .command('checkpoint')
    .description('bring its WAL into the database')
    .argument('<path>')
    .addOption(
      new Option('--mode <mode>', 'as SQLite knows them')
        .choices(['passive', 'full', 'restart', 'truncate'])
        .default('truncate'),
    )
    .action(perform(async () => (await import('../commands/database.ts')).checkpoint));
  database
    .command('optimize')
    .description('bring the statistics of its query planner up to date')
    .argument('<path>')
    .action(perform(async () => (await import('../commands/database.ts')).optimize));
}
