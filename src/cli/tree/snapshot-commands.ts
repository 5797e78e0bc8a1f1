import { type Command, Option } from 'commander';
import { collect, dataSubset, isoTime, wholeNumber } from '../option-parsers.ts';
import type { Perform } from './command-adapter.ts';
import { addPaging } from './paging.ts';
import { addRestoreCommands } from './restore-commands.ts';
import {
  addSnapshotContentCommands,
  addSnapshotNoteCommands,
} from './snapshot-content-commands.ts';

/** Snapshots and the repository that holds them. */
export function addSnapshotCommands(program: Command, perform: Perform): void {
  program
    .command('backup')
    .description('take a snapshot now')
    .argument('[source]', 'may be left out where there is only one')
    .addOption(
      new Option('--type <type>', 'what to include')
        .choices(['full', 'config', 'data'])
        .default('full'),
    )
    .option('--tag <tag>', 'tag the snapshot (repeatable)', collect)
    .option('--reason <text>', 'why, for whoever reads the list')
    .option('--if-changed', 'none where the daemon proves that the newest snapshot holds it all')
    .option(
      '--read-limit <bytes>',
      'read the repository at most this fast; 0: no bound',
      wholeNumber(0, 2 ** 50),
    )
    .option(
      '--write-limit <bytes>',
      'write it at most this fast, per second; 0: no bound',
      wholeNumber(0, 2 ** 50),
    )
    .option('--wait', 'follow the job to its end; the default')
    .option('--no-wait', 'end as soon as the job is accepted')
    .action(perform(async () => (await import('../commands/backup.ts')).run));
  addPaging(program.command('snapshots').description('snapshots, newest first'))
    .argument('[source]', 'of this source only')
    .addOption(new Option('--type <type>', 'of this type').choices(['full', 'config', 'data']))
    .addOption(
      new Option('--origin <origin>', 'taken because of this').choices([
        'manual',
        'schedule',
        'change',
        'pre-restore',
        'pre-migrate',
        'recovery',
        'import',
      ]),
    )
    .option('--tag <tag>', 'with this tag')
    .option('--pinned', 'only pinned ones')
    .option('--good', 'only those whose databases all passed their check')
    .option('--verified', 'only those whose newest verification passed')
    .option('--since <time>', 'captured then or later, such as 2026-01-31T12:00:00Z', isoTime)
    .option('--until <time>', 'captured then or earlier', isoTime)
    .option('--text <text>', 'with this in the reason')
    .action(perform(async () => (await import('../commands/snapshots.ts')).list));
  program
    .command('show')
    .description('everything recorded about a snapshot')
    .argument('<id>', 'id, unique prefix of it, or latest')
    .option('--source <source>', 'which source latest means')
    .action(perform(async () => (await import('../commands/snapshots.ts')).show));
  addPaging(program.command('ls').description('list a directory of a snapshot'))
    .argument('<id>', 'id, unique prefix of it, or latest')
    .argument('[path]', 'such as data/uploads', '/')
    .option('--source <source>', 'which source latest means')
    .action(perform(async () => (await import('../commands/snapshots.ts')).tree));
  program
    .command('verify')
    .description('prove that snapshots can be restored')
    .argument('[id...]', 'ids or unique prefixes')
    .option('--latest', 'the newest snapshot of every source; the default')
    .option('--all', 'every snapshot')
    .option('--deep', 'read and hash every byte and check every database')
    .option('--source <source>', 'of this source only')
    .action(perform(async () => (await import('../commands/verify.ts')).run));
  addPaging(
    program
      .command('drill')
      .description('restore the newest good snapshot to scratch, check it, evaluate assertions'),
  )
    .argument('[source]', 'this source only')
    .option('--list', 'the drills that were held, newest first')
    .option('--wait', 'follow the job to its end; the default')
    .option('--no-wait', 'end as soon as the job is accepted')
    .action(perform(async () => (await import('../commands/drill.ts')).run));
  program
    .command('check')
    .description('examine the whole repository')
    .option(
      '--read-data-subset <share>',
      'also read this share of the data, such as 5%',
      dataSubset,
    )
    .option('--repair', 'save what can be saved of a damaged repository; reads all of it')
    .option('--dry-run', 'with --repair: only tell what can be saved')
    .option('-y, --yes', 'do not ask')
    .action(perform(async () => (await import('../commands/check.ts')).run));
  addSnapshotContentCommands(program, perform);
  addSnapshotNoteCommands(program, perform);
  addRepositoryCommands(program, perform);
}

function addRepositoryCommands(program: Command, perform: Perform): void {
  program
    .command('delete')
    .description('remove snapshots; their data stays until a prune')
    .argument('<id...>', 'ids or unique prefixes')
    .option('--force', 'also the last known good one of a source')
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'follow the job to its end; the default')
    .option('--no-wait', 'end as soon as the job is accepted')
    .action(perform(async () => (await import('../commands/delete.ts')).run));
  program
    .command('prune')
    .description('give back the space of what no snapshot needs')
    .option('--dry-run', 'only tell how much')
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'follow the job to its end; the default')
    .option('--no-wait', 'end as soon as the job is accepted')
    .action(perform(async () => (await import('../commands/prune.ts')).run));
  const repository = program.command('repository').description('the folder that holds snapshots');
  repository
    .command('stats', { isDefault: true })
    .description('sizes and counts')
    .action(perform(async () => (await import('../commands/repository.ts')).statistics));
  repository
    .command('init')
    .description('make one where there is none; the daemon does so by itself')
    .option('--encrypt', 'with the key that is configured; a key file that is missing is made')
    .action(perform(async () => (await import('../commands/repository.ts')).init));
  repository
    .command('check')
    .description('as holdfast check')
    .option(
      '--read-data-subset <share>',
      'also read this share of the data, such as 5%',
      dataSubset,
    )
    .option('--repair', 'save what can be saved of a damaged repository; reads all of it')
    .option('--dry-run', 'with --repair: only tell what can be saved')
    .option('-y, --yes', 'do not ask')
    .action(perform(async () => (await import('../commands/check.ts')).run));
  repository
    .command('locks')
    .description('who writes at this moment, and who reads which snapshot')
    .action(perform(async () => (await import('../commands/repository-locks.ts')).locks));
  repository
    .command('unlock')
    .description('remove leases whose process is gone; locks need none, they end with theirs')
    .action(perform(async () => (await import('../commands/repository-locks.ts')).unlock));
  repository
    .command('reconcile')
    .description('adopt or set aside what the catalog does not know')
    .option('--dry-run', 'only list it')
    .action(perform(async () => (await import('../commands/repository-locks.ts')).reconcile));
  repository
    .command('copy')
    .description('copy every snapshot into an encrypted repository, with a new master key')
    .requiredOption('--to <directory>', 'a new folder')
    .option('--new-key-file <file>', 'with 32 random bytes, or 64 hex digits')
    .option('--new-passphrase-file <file>', 'with a passphrase on its only line')
    .action(perform(async () => (await import('../commands/repository-keys.ts')).copy));
  addKeyCommands(repository, perform);
  addConversionCommands(repository, perform);
  repository
    .command('rebuild')
    .description('make the catalog anew from packs and manifests')
    .action(perform(async () => (await import('../commands/repository.ts')).rebuild));
}

function addKeyCommands(repository: Command, perform: Perform): void {
  repository
    .command('keys')
    .description('the keys that open it')
    .action(perform(async () => (await import('../commands/repository-keys.ts')).list));
  const key = repository.command('key').description('let a key open it, or no longer');
  key
    .command('add')
    .description('let one more key open it')
    .option('--new-key-file <file>', 'with 32 random bytes, or 64 hex digits')
    .option('--new-passphrase-file <file>', 'with a passphrase on its only line')
    .action(perform(async () => (await import('../commands/repository-keys.ts')).add));
  key
    .command('rotate')
    .description('let a new key open it in the place of an old one')
    .argument('[id]', 'the old one; the one that is configured unless given')
    .option('--new-key-file <file>', 'with 32 random bytes, or 64 hex digits')
    .option('--new-passphrase-file <file>', 'with a passphrase on its only line')
    .option('-y, --yes', 'do not ask')
    .action(perform(async () => (await import('../commands/repository-keys.ts')).rotate));
  key
    .command('remove')
    .description('take a key out of use; never the last one, nor the one configured')
    .argument('<id>')
    .option('-y, --yes', 'do not ask')
    .action(perform(async () => (await import('../commands/repository-keys.ts')).remove));
}

function addConversionCommands(repository: Command, perform: Perform): void {
  const described = [
    ['encrypt', 'encrypt a repository that is not, where it stands'],
    ['rekey', 'seal an encrypted repository anew under a new master key, where it stands'],
  ] as const;
  for (const [name, description] of described) {
    repository
      .command(name)
      .description(description)
      .option('--new-key-file <file>', 'with 32 random bytes, or 64 hex digits')
      .option('--new-passphrase-file <file>', 'with a passphrase on its only line')
      .option('--dry-run', 'only say how much room it takes')
      .option('--discard', 'give up one that was interrupted, and the room that it takes')
      .option('-y, --yes', 'do not ask')
      .action(perform(async () => (await import('../commands/repository-conversion.ts'))[name]));
  }
  repository
    .command('accept')
    .description('take an encrypted repository as it stands for right, after it was changed')
    .option('-y, --yes', 'do not ask')
    .action(perform(async () => (await import('../commands/repository-conversion.ts')).accept));
}

/** Bringing data back. */
export function addRecoveryCommands(program: Command, perform: Perform): void {
  addRestoreCommands(program, perform);
  program
    .command('recover')
    .description('check databases and repair or roll back those that are corrupt')
    .option('--if-needed', 'a gate: exit 0 only if every database is fit for its application')
    .option('--force', 'check even what is known to be sound')
    .option('--check-only', 'report, and change nothing')
    .option('--source <source>', 'of this source only')
    .option('--database <path>', 'this database only')
    .option('--dry-run', 'build every repair there is, show what each would lose, and install none')
    .option('--accept-loss', 'install the best repair, whatever recovery policy says of its loss')
    .option('--from <snapshot>', 'use this snapshot alone: id, unique prefix of it, or latest')
    .option('--to <file>', 'write the best that can be had to this file; any SQLite file will do')
    .option('--wait', 'follow the job to its end; the default')
    .option('--no-wait', 'end as soon as the job is accepted')
    .action(perform(async () => (await import('../commands/recover.ts')).run));
}
