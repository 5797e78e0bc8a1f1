import { type Command, Option } from 'commander';
import { collect, isoTime } from '../option-parsers.ts';
import type { Perform } from './command-adapter.ts';
import { addPaging } from './paging.ts';

const CHOICE = 'id, unique prefix of it, or latest';

/** What is in snapshots, and what differs between two. */
export function addSnapshotContentCommands(program: Command, perform: Perform): void {
  addPaging(program.command('files').description('everything in a snapshot'))
    .argument('<id>', CHOICE)
    .option('--source <source>', 'which source latest means')
    .action(perform(async () => (await import('../commands/snapshot-contents.ts')).files));
  addPaging(
    program.command('find').description('the versions of a path that snapshots hold, newest first'),
  )
    .argument('<pattern>', "such as '*.db', or 'data/uploads/**'")
    .option('--source <source>', 'in snapshots of this source only')
    .addOption(
      new Option('--type <type>', 'of this kind only').choices([
        'file',
        'database',
        'directory',
        'symlink',
      ]),
    )
    .option('--since <time>', 'captured then or later, such as 2026-01-31T12:00:00Z', isoTime)
    .option('--until <time>', 'captured then or earlier', isoTime)
    .action(perform(async () => (await import('../commands/snapshot-contents.ts')).find));
  program
    .command('manifest')
    .description('the document that is a snapshot, as it is stored')
    .argument('<id>', CHOICE)
    .option('--source <source>', 'which source latest means')
    .action(perform(async () => (await import('../commands/snapshot-contents.ts')).manifest));
  program
    .command('diff')
    .description('what changed from one snapshot to another: files, schemas, row counts')
    .argument('<a>', CHOICE)
    .argument('<b>', CHOICE)
    .option('--no-databases', 'compare databases as files alone')
    .action(perform(async () => (await import('../commands/diff.ts')).run));
}

/** The little about snapshots that may change. */
export function addSnapshotNoteCommands(program: Command, perform: Perform): void {
  program
    .command('tag')
    .description('add and remove tags')
    .argument('<id...>', 'ids or unique prefixes')
    .option('--add <tag>', 'a tag to add (repeatable)', collect)
    .option('--remove <tag>', 'a tag to remove (repeatable)', collect)
    .action(perform(async () => (await import('../commands/snapshot-notes.ts')).tag));
  program
    .command('pin')
    .description('let nothing remove them')
    .argument('<id...>', 'ids or unique prefixes')
    .action(perform(async () => (await import('../commands/snapshot-notes.ts')).pin));
  program
    .command('unpin')
    .description('let policies remove them again')
    .argument('<id...>', 'ids or unique prefixes')
    .action(perform(async () => (await import('../commands/snapshot-notes.ts')).unpin));
  program
    .command('reseal')
    .description('replace notes that are damaged or say that it failed, if it verifies deeply')
    .argument('<id>', CHOICE)
    .option('--i-know', 'that it will never again serve automatic recovery')
    .option('-y, --yes', 'do not ask')
    .action(perform(async () => (await import('../commands/snapshot-notes.ts')).reseal));
}
