import { type Command, Option } from 'commander';
import type { Perform } from './command-adapter.ts';
import { addPaging } from './paging.ts';

const format = () =>
  new Option('--format <format>', 'what the payload consists of').choices([
    'sqlite-file',
    'sqldump',
    'jsonl-tables',
  ]);
const PORCELAIN = 'print the bare reference or path alone, for scripts';
const DATABASE = 'which database, such as data/app.db';

/** Databases that travel to other installations. */
export function addArtifactCommands(program: Command, perform: Perform): void {
  const artifact = program
    .command('artifact')
    .description('databases that travel: made, verified, put in place, published');
  artifact
    .command('export')
    .description('write an artifact to a file, its manifest beside it')
    .argument('[source]')
    .requiredOption('--out <file>', 'where to')
    .option('--snapshot <id>', 'as of this snapshot; without it, one is taken now')
    .option('--database <path>', DATABASE)
    .option('--file <database>', 'of any SQLite file instead, without a repository')
    .addOption(format())
    .option('--overwrite', 'in place of what stands there')
    .option('--porcelain', PORCELAIN)
    .action(perform(async () => (await import('../commands/artifact.ts')).exportOne));
  artifact
    .command('verify')
    .description('prove that an artifact is what it says, and fits')
    .argument('[file]')
    .option('--ref <name>', 'one of the store: a reference or an alias')
    .option('--source <source>', 'whose versions it must fit')
    .option('--database <path>', DATABASE)
    .action(perform(async () => (await import('../commands/artifact.ts')).verify));
  addChanging(artifact, perform);
}

function addChanging(artifact: Command, perform: Perform): void {
  artifact
    .command('import')
    .description('put an artifact in the place of a database that is not used yet')
    .argument('[file]')
    .option('--ref <name>', 'one of the store: a reference or an alias')
    .option('--source <source>', 'of which source')
    .option('--database <path>', DATABASE)
    .option('--force', 'whatever it holds, after a snapshot of it')
    .option('-y, --yes', 'do not ask')
    .option('--no-wait', 'end when the job is accepted')
    .action(perform(async () => (await import('../commands/artifact.ts')).importOne));
  artifact
    .command('publish')
    .description('put artifacts of a source into the store')
    .argument('[source]')
    .option('--snapshot <id>', 'as of this snapshot; without it, one is taken now')
    .option('--database <path>', DATABASE)
    .addOption(format())
    .option('--key-prefix <prefix>', 'what the reference begins with')
    .option('--alias <name>', 'the name that stands for it from then on')
    .option('--no-alias', 'leave the alias as it is')
    .option('--porcelain', PORCELAIN)
    .action(perform(async () => (await import('../commands/artifact.ts')).publish));
  addPaging(artifact.command('list').description('what the store has, newest first'))
    .option('--porcelain', PORCELAIN)
    .action(perform(async () => (await import('../commands/artifact-list.ts')).list));
  artifact
    .command('fetch')
    .description('bring one from the store to a file, verified')
    .argument('<name>', 'a reference or an alias')
    .requiredOption('--out <file>', 'where to')
    .option('--overwrite', 'in place of what stands there')
    .option('--porcelain', PORCELAIN)
    .action(perform(async () => (await import('../commands/artifact.ts')).fetchOne));
}
