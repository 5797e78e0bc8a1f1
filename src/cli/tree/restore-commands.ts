import { type Command, Option } from 'commander';
import { collect } from '../option-parsers.ts';
import type { Perform } from './command-adapter.ts';
import { addPaging } from './paging.ts';

const WAIT = ['--wait', 'follow the job to its end; the default'] as const;
const NO_WAIT = ['--no-wait', 'end as soon as the job is accepted'] as const;

/** `holdfast restore`, and what becomes of restores that were staged. */
export function addRestoreCommands(program: Command, perform: Perform): void {
  const restore = program
    .command('restore')
    .description('bring a snapshot, or part of it, back to disk')
    .argument('[id]', 'id, unique prefix of it, or latest')
    .option('--source <source>', 'which source latest means')
    .option('--to <directory>', 'lay it out in this directory; with --file: the file to write')
    .option('--allow-non-empty', 'with --to: the directory may hold something')
    .option('--in-place', 'replace the files where they came from')
    .option('--stage', 'in place, but later: extract and check now')
    .addOption(
      new Option(
        '--apply-when <when>',
        'staged: at the next start, or when nobody uses its databases',
      ).choices(['boot', 'free']),
    )
    .option('--replace-pending', 'staged: take the place of the one that waits')
    .option('--plan <id>', 'carry out exactly what --dry-run showed')
    .option('--file <path>', 'one file, to --to')
    .option('--path <path>', 'only this path of the snapshot (repeatable)', collect);
  addRestoreChoices(restore)
    .option('--no-checkpoint', 'in place: take no snapshot of what is replaced')
    .option('--no-migrate', 'leave older databases at their version')
    .option('--allow-newer', 'take databases newer than the application’s steps as they are')
    .option('--dry-run', 'only show what would be done')
    .option('-y, --yes', 'do not ask')
    .option(...WAIT)
    .option(...NO_WAIT)
    .action(perform(async () => (await import('../commands/restore.ts')).run));
  addPaging(restore.command('pending').description('staged restores, newest first'))
    .option('--source <source>', 'of this source only')
    .action(perform(async () => (await import('../commands/restore-staged.ts')).pending));
  restore
    .command('cancel')
    .description('forget a staged restore and what was staged')
    .argument('<id>')
    .action(perform(async () => (await import('../commands/restore-staged.ts')).cancel));
  restore
    .command('apply')
    .description('put a staged restore in place now; without an id: all of them')
    .argument('[id]')
    .option('-y, --yes', 'do not ask')
    .option(...WAIT)
    .option(...NO_WAIT)
    .action(perform(async () => (await import('../commands/restore-staged.ts')).apply));
}

function addRestoreChoices(restore: Command): Command {
  return restore
    .addOption(
      new Option('--class, --part <class...>', 'only roots of this class').choices([
        'data',
        'config',
        'extra',
      ]),
    )
    .addOption(
      new Option('--mode <mode>', 'what happens to files that the snapshot does not hold').choices([
        'merge',
        'mirror',
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
    );
}
