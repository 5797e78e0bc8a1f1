import { Argument, type Command, Option } from 'commander';
import { durationMs, wholeNumber } from '../option-parsers.ts';
import type { Perform } from './command-adapter.ts';
import { addPaging } from './paging.ts';

/** The daemon itself and what it says about itself. */
export function addDaemonCommands(program: Command, perform: Perform): void {
  program
    .command('daemon')
    .description('run in the foreground')
    .addOption(
      new Option('--log-level <level>', 'least important messages to log').choices([
        'debug',
        'info',
        'warn',
        'error',
      ]),
    )
    .option('--no-watch', 'take no snapshots because of changes')
    .action(perform(async () => (await import('../commands/daemon.ts')).run));
  program
    .command('status')
    .description('everything worth knowing at a glance')
    .action(perform(async () => (await import('../commands/status.ts')).run));
  program
    .command('doctor')
    .description('examine this host and installation; works without the daemon')
    .action(perform(async () => (await import('../commands/doctor.ts')).run));
  program
    .command('doctor-probe', { hidden: true })
    .argument('[root...]')
    .action(perform(async () => (await import('../commands/doctor-probe.ts')).run));
  program
    .command('stop')
    .description('ask the daemon to stop')
    .action(perform(async () => (await import('../commands/daemon-control.ts')).stop));
  program
    .command('restart')
    .description('ask the daemon to stop so that its supervisor starts it again')
    .action(perform(async () => (await import('../commands/daemon-control.ts')).restart));
  program
    .command('update-info')
    .description('whether a newer version was announced on this host')
    .action(perform(async () => (await import('../commands/daemon-control.ts')).updateInfo));
  program
    .command('watch')
    .description('print what happens, as it happens')
    .action(perform(async () => (await import('../commands/watch.ts')).run));
  program
    .command('version')
    .description('the version of this client')
    .action(perform(async () => (await import('../commands/version.ts')).run));
  addHealthCommands(program, perform);
  addServiceCommands(program, perform);
}

function addHealthCommands(program: Command, perform: Perform): void {
  const health = program.command('health').description('probes, for people and for supervisors');
  health
    .command('report', { isDefault: true })
    .description('liveness, readiness, freshness of every source (exit 0, 1 critical, 3 warnings)')
    .action(perform(async () => (await import('../commands/health.ts')).report));
  health
    .command('live')
    .description('exit 0 if the daemon does its work')
    .action(perform(async () => (await import('../commands/health.ts')).live));
  health
    .command('ready')
    .description('exit 0 if boot is done and the repository can be reached')
    .action(perform(async () => (await import('../commands/health.ts')).ready));
}

function addServiceCommands(program: Command, perform: Perform): void {
  program
    .command('service')
    .description('files for the service manager')
    .command('print')
    .description('print units for systemd, or a property list and a gate script for launchd')
    .addArgument(new Argument('[manager]').choices(['systemd', 'launchd']))
    .option('--unit <name>', 'one file only')
    .option('--node <path>', 'the node program [this one]')
    .option('--program <path>', 'bin/holdfast [of this installation]')
    .option('--user <name>', 'whom the daemon runs as')
    .option('--group <name>', 'its group [as the user]')
    .option('--application <unit>', 'the unit of the protected application')
    .action(perform(async () => (await import('../commands/service-print.ts')).run));
}

/** Jobs and what restores and repairs set aside. */
export function addRecordCommands(program: Command, perform: Perform): void {
  addPaging(program.command('jobs').description('jobs, newest first'))
    .addOption(
      new Option('--status <status...>', 'in this state').choices([
        'queued',
        'running',
        'succeeded',
        'failed',
        'cancelled',
      ]),
    )
    .option('--kind <kind>', 'of this kind: backup, restore, recover, verify, drill, check')
    .option('--source <source>', 'of this source only')
    .option('--statistics', 'how those of each kind ended, and how long they took')
    .action(perform(async () => (await import('../commands/jobs.ts')).list));
  program
    .command('progress')
    .description('what is being done now')
    .action(perform(async () => (await import('../commands/progress.ts')).run));
  const job = program.command('job').description('one job');
  job
    .command('show', { isDefault: true })
    .description('what it does or did')
    .argument('<id>')
    .option('--wait', 'follow it, and end as it ends')
    .action(perform(async () => (await import('../commands/jobs.ts')).show));
  job
    .command('cancel')
    .description('cancel it')
    .argument('<id>')
    .action(perform(async () => (await import('../commands/jobs.ts')).cancel));
  job
    .command('logs')
    .description('its log')
    .argument('<id>')
    .option('-f, --follow', 'until it is finished')
    .option('--from <seq>', 'from this line on', wholeNumber(1, Number.MAX_SAFE_INTEGER), 1)
    .addOption(
      new Option('--format <format>', 'lines of text, or a document per line').choices([
        'txt',
        'ndjson',
      ]),
    )
    .action(perform(async () => (await import('../commands/job-logs.ts')).run));

  const quarantine = program
    .command('quarantine')
    .description('what restores and repairs replaced');
  addPaging(
    quarantine.command('list', { isDefault: true }).description('all that is kept, newest first'),
  )
    .option('--source <source>', 'of this source only')
    .action(perform(async () => (await import('../commands/quarantine.ts')).list));
  quarantine
    .command('show')
    .description('one of them, with its files')
    .argument('<id>')
    .action(perform(async () => (await import('../commands/quarantine.ts')).show));
  quarantine
    .command('restore')
    .description('copy it to a directory')
    .argument('<id>')
    .requiredOption('--to <directory>', 'outside every protected directory')
    .action(perform(async () => (await import('../commands/quarantine.ts')).restore));
  quarantine
    .command('purge')
    .description('delete it for ever')
    .argument('[id]')
    .option('--older-than <duration>', 'everything older, such as 30d', durationMs)
    .option('--policy', 'what the configured bounds do not let stay; the daemon does so daily')
    .option('-y, --yes', 'do not ask')
    .action(perform(async () => (await import('../commands/quarantine.ts')).purge));
}
