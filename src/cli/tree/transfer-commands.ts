import { type Command, Option } from 'commander';
import { EXPORT_FORMATS } from '../export-format.ts';
import { collect } from '../option-parsers.ts';
import type { Perform } from './command-adapter.ts';

const WAIT = ['--wait', 'follow the job to its end; the default'] as const;
const NO_WAIT = ['--no-wait', 'end as soon as the job is accepted'] as const;

/** Data that leaves in forms that other programs read, and comes back. */
export function addTransferCommands(program: Command, perform: Perform): void {
  addExportCommand(program, perform);
  program
    .command('import')
    .description('take in what an export, or another program, has written')
    .argument('<file>', 'database, SQL text, JSON lines or archive; told apart by content')
    .option('--to <path>', 'make this new database file, or directory of an archive; no daemon')
    .option('--source <source>', 'into this source: an archive becomes a snapshot of it')
    .option('--database <path>', 'into this one, such as data/app.db')
    .option('--table <name>', 'of JSON lines without a header')
    .addOption(
      new Option(
        '--mode <mode>',
        'JSON lines: what becomes of rows that are there; new-db: they are the whole database',
      ).choices(['insert-ignore', 'upsert', 'replace', 'new-db']),
    )
    .option('--strict', 'refuse unknown columns, and rows that point to nothing')
    .option('--live', 'JSON lines: into the database itself, while others use it')
    .option('--triggers', 'JSON lines: triggers run for every row')
    .option('--under <path>', 'archive: put everything below this path, such as data/uploads')
    .option('--tag <tag>', 'archive: tag the snapshot (repeatable)', collect)
    .option('--in-place', 'archive: restore the snapshot at once')
    .option('--no-migrate', 'leave an older database at its version')
    .option('--allow-newer', 'take a database newer than the application’s steps as it is')
    .option('--no-checkpoint', 'take no snapshot of what is replaced')
    .option('--dry-run', 'do everything but the replacement')
    .option('-y, --yes', 'do not ask')
    .option(...WAIT)
    .option(...NO_WAIT)
    .action(perform(async () => (await import('../commands/import.ts')).run));
}

function addExportCommand(program: Command, perform: Perform): void {
  program
    .command('export')
    .description('write a snapshot, or a part of it, as one file for other programs')
    .argument('[id]', 'id, unique prefix of it, or latest')
    .option('--source <source>', 'which source latest means')
    .option('--now', 'with --source: take a snapshot first, and export that')
    .option(
      '--file <database>',
      'any SQLite file, without daemon and repository; it is left as it is',
    )
    .addOption(
      new Option('--format <format>', 'what to write; by the name of the file').choices(
        EXPORT_FORMATS,
      ),
    )
    .option('--database <path>', 'db, sql, jsonl: which one, such as data/app.db')
    .option('--table <name>', 'jsonl: only this table (repeatable)', collect)
    .option('--plain', 'jsonl: bare objects of one table, without header and footer')
    .option('--path <path>', 'archive: only this path of the snapshot (repeatable)', collect)
    .addOption(
      new Option('--class, --part <class...>', 'archive: only roots of this class').choices([
        'data',
        'config',
        'extra',
      ]),
    )
    .option('--to <file>', 'the file to write; - is stdout')
    .option('--overwrite', 'an ordinary file that is there is replaced')
    .option('--verify', 'read back what was written; the default of a database that goes to a file')
    .option('--no-verify', 'do not')
    .option(...WAIT)
    .option(...NO_WAIT)
    .action(perform(async () => (await import('../commands/export.ts')).run));
}
