import { Argument, type Command } from 'commander';
import { wholeNumber } from '../option-parsers.ts';
import type { Perform } from './command-adapter.ts';
import { addPaging } from './paging.ts';

/** What somebody should know of, and who did what. */
export function addOversightCommands(program: Command, perform: Perform): void {
  addPaging(program.command('alerts').description('what somebody should know of, newest first'))
    .option('--all', 'also what is resolved')
    .action(perform(async () => (await import('../commands/alerts.ts')).list));
  const alert = program.command('alert').description('one alert');
  alert
    .command('ack')
    .description('somebody knows of it: it stays until its condition ends')
    .argument('<id>')
    .action(perform(async () => (await import('../commands/alerts.ts')).acknowledge));
  alert
    .command('resolve')
    .description('end it by hand; it comes back if its condition still holds')
    .argument('<id>')
    .action(perform(async () => (await import('../commands/alerts.ts')).resolve));
  program
    .command('completion')
    .description('a script that completes command lines in a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(perform(async () => (await import('../commands/completion.ts')).completionOf(program)));
  program
    .command('logs')
    .description('the log of a job; of the newest one, when none is named')
    .argument('[job]')
    .option('-f, --follow', 'until it is finished')
    .option('--from <seq>', 'from this line on', wholeNumber(1, Number.MAX_SAFE_INTEGER), 1)
    .action(perform(async () => (await import('../commands/job-logs.ts')).ofNewest));
  addPaging(program.command('audit').description('who changed what, newest first'))
    .option('--action <method>', 'this one only, such as settings.update')
    .action(perform(async () => (await import('../commands/audit.ts')).list));
}
