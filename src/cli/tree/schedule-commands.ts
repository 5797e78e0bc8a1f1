import { type Command, Option } from 'commander';
import { durationMs, wholeNumber } from '../option-parsers.ts';
import type { Perform } from './command-adapter.ts';
import { addPaging } from './paging.ts';

const KINDS = ['backup', 'forget', 'prune', 'check', 'verify', 'drill', 'publish'];

/** What is due when. */
export function addScheduleCommands(program: Command, perform: Perform): void {
  const schedule = program.command('schedule').description('what is due when');
  addPaging(schedule.command('list', { isDefault: true }).description('the next due first'))
    .option('--source <source>', 'of this source only')
    .action(perform(async () => (await import('../commands/schedules.ts')).list));
  schedule
    .command('status')
    .description('the version of the set, and what of it is in force')
    .action(perform(async () => (await import('../commands/schedules.ts')).status));
  addChanges(schedule, perform);
  for (const verb of ['pause', 'resume'] as const) {
    addSource(
      schedule
        .command(verb)
        .description(verb === 'pause' ? 'no more runs, also after a restart' : 'end a pause')
        .argument('[id]', 'this one only'),
    ).action(perform(async () => (await import('../commands/schedule-changes.ts'))[verb]));
  }
  addPaging(
    schedule.command('pending').description('runs that failed and will be tried again'),
  ).action(perform(async () => (await import('../commands/schedule-pending.ts')).list));
  schedule
    .command('drop')
    .description('do not try one of them again')
    .argument('<id>', 'of the schedule')
    .requiredOption('--source <source>', 'of the schedule')
    .action(perform(async () => (await import('../commands/schedule-pending.ts')).drop));
}

function addChanges(schedule: Command, perform: Perform): void {
  addVersion(
    schedule
      .command('set')
      .description('replace all schedules by those of a JSON file, until reset; [] turns all off')
      .argument(
        '<file>',
        'a list of schedules, or what `schedule list --json` printed; - for stdin',
      ),
  ).action(perform(async () => (await import('../commands/schedule-changes.ts')).set));
  addFields(
    schedule
      .command('add')
      .description('add one')
      .argument('[id]', 'the kind, where left out')
      .addOption(new Option('--kind <kind>', 'what is done').choices(KINDS).default('backup'))
      .option('--disabled', 'turned off'),
  ).action(perform(async () => (await import('../commands/schedule-changes.ts')).add));
  addFields(
    schedule
      .command('update')
      .description('change one; what is not given stays')
      .argument('<id>')
      .option('--enable', 'turn it on')
      .option('--disable', 'turn it off'),
  ).action(perform(async () => (await import('../commands/schedule-changes.ts')).update));
  addVersion(
    addSource(schedule.command('remove').description('remove one').argument('<id>')),
  ).action(perform(async () => (await import('../commands/schedule-changes.ts')).remove));
  addVersion(
    schedule.command('reset').description('go by the schedules of the configuration again'),
  ).action(perform(async () => (await import('../commands/schedule-changes.ts')).reset));
}

function addSource(command: Command): Command {
  return command.option('--source <source>', 'its source, where several have one of this id');
}

function addVersion(command: Command): Command {
  return command.option(
    '--expect-version <number>',
    'fail if the set is at another version',
    wholeNumber(0, Number.MAX_SAFE_INTEGER),
  );
}

function addFields(command: Command): Command {
  return addVersion(addSource(command))
    .option('--every <duration>', 'at this interval, such as 6h', durationMs)
    .option('--cron <expression>', 'at the times of five fields, or six with seconds first')
    .option('--time-zone <zone>', "of --cron [the daemon's own]")
    .addOption(new Option('--catch-up <runs>', 'for missed runs').choices(['one', 'none']))
    .option('--jitter <duration>', 'begin up to this much later', durationMs)
    .addOption(
      new Option('--overlap <what>', 'while the run before goes on').choices(['skip', 'queue']),
    );
}
