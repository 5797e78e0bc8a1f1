import { Command, CommanderError } from 'commander';
import { toErrorDocument } from '../kernel/errors.ts';
import type { CommandContext, CommandRun } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { GlobalOptions } from './global-options.ts';
import { collect } from './option-parsers.ts';
import { printError } from './report.ts';
import { addArtifactCommands } from './tree/artifact-commands.ts';
import type { Perform } from './tree/command-adapter.ts';
import { addDaemonCommands, addRecordCommands } from './tree/daemon-commands.ts';
import { addDatabaseCommands } from './tree/database-commands.ts';
import { addHookCommands } from './tree/hook-commands.ts';
import { addMigrateCommands } from './tree/migrate-commands.ts';
import { addOversightCommands } from './tree/oversight-commands.ts';
import { addRetentionCommands } from './tree/retention-commands.ts';
import { addScheduleCommands } from './tree/schedule-commands.ts';
import { addSettingsCommands } from './tree/settings-commands.ts';
import { addRecoveryCommands, addSnapshotCommands } from './tree/snapshot-commands.ts';
import { addTransferCommands } from './tree/transfer-commands.ts';

export interface ProgramOptions {
  readonly version: string;
  readonly out: (text: string) => void;
  readonly note: (text: string) => void;
  /** Made when a command runs, since colour and Ctrl-C depend on which one and on its options. */
  readonly openContext: (command: string, options: ParsedGlobals) => CommandContext;
}

export type ParsedGlobals = GlobalOptions & { readonly color: boolean };

/** Parses one command line and runs its command. Never rejects; usage errors are told by commander and are 2. */
export async function runProgram(
  argv: readonly string[],
  options: ProgramOptions,
): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok;
  const perform: Perform = (load) =>
    async function (this: Command): Promise<void> {
      const parsed = this.optsWithGlobals<ParsedGlobals>();
      const context = options.openContext(this.name(), parsed);
      exitCode = await runCommand(context, await load(), this, parsed);
    };
  const program = buildProgram(options, perform, ALONE[argv[0] ?? '']);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}

async function runCommand<Options extends GlobalOptions>(
  context: CommandContext,
  run: CommandRun<Options>,
  command: Command,
  parsed: ParsedGlobals,
): Promise<ExitCode> {
  try {
    const args = command.processedArgs.flat() as (string | undefined)[];
    return await run(context, args, parsed as unknown as Options);
  } catch (error) {
    return printError(context, parsed, toErrorDocument(error));
  }
}

type AddCommands = (program: Command, perform: Perform) => void;

/** Commands that are run again and again by machines: where one is the first word, the other groups are not made. */
export const ALONE: Readonly<Record<string, AddCommands>> = {
  backup: addSnapshotCommands,
  health: addDaemonCommands,
  jobs: addRecordCommands,
  snapshots: addSnapshotCommands,
  status: addDaemonCommands,
};

/** `only`: the one group that is wanted; all of them where it is left out. */
export function buildProgram(
  { version, out, note }: Pick<ProgramOptions, 'version' | 'out' | 'note'>,
  perform: Perform,
  only: AddCommands = addAllCommands,
): Command {
  const program = new Command('holdfast')
    .description('Protects applications that keep their state in SQLite.')
    .version(version, '-V, --version')
    .option('--json', 'print documents for programs')
    .option('--no-color', 'print without colour; as NO_COLOR=1')
    .option('--config <file>', 'configuration file; as HOLDFAST_CONFIG')
    .option('--data <directory>', 'protect this directory (repeatable)', collect)
    .option('--repository <directory>', 'where snapshots are kept; as HOLDFAST_REPOSITORY')
    .option('--key-file <file>', "the repository's key; as HOLDFAST_KEY_FILE")
    .option('--passphrase-file <file>', 'its passphrase; as HOLDFAST_PASSPHRASE_FILE')
    .option('--state <directory>', 'where Holdfast keeps its state; as HOLDFAST_STATE')
    .option('--socket <path>', "the daemon's socket; as HOLDFAST_SOCKET")
    .configureOutput({ writeOut: out, writeErr: note })
    .exitOverride()
    .showHelpAfterError('(holdfast --help lists every command)')
    .addHelpText(
      'after',
      '\nExit codes: 0 ok, 1 failed, 2 usage, 3 done with warnings, 4 daemon unreachable, 10 not found, 11 busy,\n12 verification failed, 130 cancelled.',
    );
  only(program, perform);
  inheritOutput(program);
  return program;
}

function addAllCommands(program: Command, perform: Perform): void {
  addDaemonCommands(program, perform);
  addSnapshotCommands(program, perform);
  addDatabaseCommands(program, perform);
  addMigrateCommands(program, perform);
  addHookCommands(program, perform);
  addRetentionCommands(program, perform);
  addRecoveryCommands(program, perform);
  addTransferCommands(program, perform);
  addArtifactCommands(program, perform);
  addRecordCommands(program, perform);
  addSettingsCommands(program, perform);
  addScheduleCommands(program, perform);
  addOversightCommands(program, perform);
}

/** Output and exit are inherited only by commands that are made after they were set, and not by all of them. */
function inheritOutput(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inheritOutput(child);
  }
}
