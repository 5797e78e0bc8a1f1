import { type Command, Option } from 'commander';
import { collect, dataSubset } from '../option-parsers.ts';
import type { Perform } from './command-adapter.ts';
import { addPaging } from './paging.ts';

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
    .option('--wait', 'follow the job to its end; the default')
    .option('--no-wait', 'end as soon as the job is accepted')
    .action(perform(async () => (await import('../commands/backup.ts')).run));
  addPaging(program.command('snapshots').description('snapshots, newest first'))
    .argument('[source]', 'of this source only')
    .option('--good', 'only those whose databases all passed their check')
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
    .action(perform(async () => (await import('../commands/check.ts')).run));
  addRepositoryCommands(program, perform);
}

function addRepositoryCommands(program: Command, perform: Perform): void {
  const repository = program.command('repository').description('the folder that holds snapshots');
  repository
    .command('stats', { isDefault: true })
    .description('sizes and counts')
    .action(perform(async () => (await import('../commands/repository.ts')).statistics));
  repository
    .command('init')
    .description('make one where there is none; the daemon does so by itself')
    .action(perform(async () => (await import('../commands/repository.ts')).init));
  repository
    .command('check')
    .description('as holdfast check')
    .option(
      '--read-data-subset <share>',
      'also read this share of the data, such as 5%',
      dataSubset,
    )
    .action(perform(async () => (await import('../commands/check.ts')).run));
  repository
    .command('rebuild')
    .description('make the catalog anew from packs and manifests')
    .action(perform(async () => (await import('../commands/repository.ts')).rebuild));
}

/** Bringing data back. */
export function addRecoveryCommands(program: Command, perform: Perform): void {
  program
    .command('restore')
    .description('bring a snapshot, or part of it, back to disk')
    .argument('<id>', 'id, unique prefix of it, or latest')
    .option('--source <source>', 'which source latest means')
    .option('--to <directory>', 'lay it out in this directory')
    .option('--in-place', 'replace the files where they came from')
    .option('--path <path>', 'only this path of the snapshot (repeatable)', collect)
    .addOption(
      new Option('--class <class...>', 'only roots of this class').choices([
        'data',
        'config',
        'extra',
      ]),
    )
    .addOption(
      new Option('--overwrite <when>', 'what happens to files that are there').choices([
        'always',
        'if-changed',
        'if-newer',
        'never',
      ]),
    )
    .addOption(
      new Option('--check <depth>', 'how restored databases are checked').choices([
        'none',
        'quick',
        'full',
      ]),
    )
    .option('--no-checkpoint', 'in place: take no snapshot of what is replaced')
    .option('--dry-run', 'only show what would be done')
    .option('-y, --yes', 'do not ask')
    .option('--wait', 'follow the job to its end; the default')
    .option('--no-wait', 'end as soon as the job is accepted')
    .action(perform(async () => (await import('../commands/restore.ts')).run));
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
