import type { ErrorDocument } from '../kernel/errors.ts';
import type { JobDocument } from '../protocol/method-map.ts';
import type { CommandContext } from './context.ts';
import { type ExitCode, exitCodeOfError } from './exit-codes.ts';
import type { GlobalOptions } from './global-options.ts';
import { exitCodeOfJob, type FinishedJob, finalDocument } from './job-outcome.ts';
import { renderJobSummary } from './output/job-summary.ts';
import { printable } from './output/printable.ts';
import { styled } from './output/style.ts';
import { type Column, renderTable } from './output/table.ts';

/** How results leave a command: one JSON document under --json, words otherwise. */

export function printJson({ terminal }: CommandContext, document: unknown): void {
  terminal.out(JSON.stringify(document));
}

/** One document, or what `render` makes of it. */
export function printDocument<Document>(
  context: CommandContext,
  options: GlobalOptions,
  document: Document,
  render: (document: Document) => string,
): void {
  if (options.json === true) printJson(context, document);
  else context.terminal.out(render(document));
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

/** A list: `{"items": […], "nextCursor": …}`, or a table. */
export function printList<Item>(
  context: CommandContext,
  options: GlobalOptions,
  { items, nextCursor }: Page<Item>,
  columns: readonly Column<Item>[],
  empty: string,
): void {
  const { terminal } = context;
  if (options.json === true) {
    printJson(context, { items, nextCursor });
    return;
  }
  if (items.length === 0) terminal.note(empty);
  else terminal.out(renderTable(columns, items, terminal.color));
  if (nextCursor !== null) terminal.note(`There are more: --cursor ${nextCursor}`);
}

type AnyErrorDocument = Omit<ErrorDocument, 'hint' | 'details'> &
  Pick<NonNullable<JobDocument['error']>, 'hint' | 'details'>;

const EXTRA_LINES_MAX = 20;

/** An error in words on stderr. */
export function noteError({ terminal }: CommandContext, error: AnyErrorDocument): void {
  const head = styled('holdfast:', 'bad', terminal.noteColor);
  const lines = error.message.split('\n').slice(0, EXTRA_LINES_MAX).map(printable);
  terminal.note(`${head} ${lines.join('\n')}`);
  if (error.hint) terminal.note(`  ${printable(error.hint)}`);
}

/** The error that ended a command. */
export function printError(
  context: CommandContext,
  options: GlobalOptions,
  error: ErrorDocument,
): ExitCode {
  if (options.json === true) printJson(context, { error });
  else noteError(context, error);
  return exitCodeOfError(error.code);
}

/** A finished job as the end of the command that followed it. */
export function printJobEnd(
  context: CommandContext,
  options: GlobalOptions,
  job: FinishedJob,
  exitCode: ExitCode = exitCodeOfJob(job),
): ExitCode {
  if (options.json === true) {
    printJson(context, finalDocument(job, exitCode));
    return exitCode;
  }
  const summary = renderJobSummary(job, context.terminal.color);
  if (summary !== '') context.terminal.out(summary);
  if (job.error !== null) noteError(context, job.error);
  if (job.status === 'succeeded' && job.warnings > 0) {
    const noun = job.warnings === 1 ? 'warning' : 'warnings';
    context.terminal.note(`Done with ${job.warnings} ${noun}: holdfast job logs ${job.id}`);
  }
  return exitCode;
}
