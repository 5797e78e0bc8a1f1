import { dirname, resolve } from 'node:path';
import { cannot } from '../../kernel/errors.ts';
import { requireConfirmation } from '../confirmation.ts';
import type { CommandContext, CommandRun } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { given } from '../given.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runAside } from '../offline.ts';
import { printJobEnd } from '../report.ts';
import { finishJob, runJob } from '../run-job.ts';

interface ImportOptions extends GlobalOptions {
  readonly to?: string;
  readonly source?: string;
  readonly database?: string;
  readonly table?: string;
  readonly mode?: 'insert-ignore' | 'upsert' | 'replace' | 'new-db';
  readonly strict?: boolean;
  readonly live?: boolean;
  readonly triggers?: boolean;
  readonly under?: string;
  readonly tag?: readonly string[];
  readonly inPlace?: boolean;
  readonly checkpoint: boolean;
  readonly migrate: boolean;
  readonly allowNewer?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly wait?: boolean;
}

interface Import {
  /** Absolute. */
  readonly from: string;
  readonly sourceId: string;
}

function refusal(thing: string, state: string, hint: string): Error {
  return cannot('INVALID_PARAMS', 'import', thing, state, { hint });
}

/** `holdfast import FILE --to NEW`, or `import FILE --source NAME …` */
export const run: CommandRun<ImportOptions> = async (context, [file], options) => {
  const from = resolve(file ?? '');
  const { to, source: sourceId } = options;
  if ((to === undefined) === (sourceId === undefined)) {
    const state = to === undefined ? 'nothing says where to' : 'two targets are named';
    throw refusal(from, state, 'Give --to NEW for a new file or directory, or --source NAME.');
  }
  if (to !== undefined) return importAside(context, options, from, resolve(to));
  const what = { from, sourceId: sourceId! };
  const { formatOf } = await import('../../operations/import/format.ts');
  const format = await formatOf(from);
  if (format === 'archive') return importSnapshot(context, options, what);
  if (options.inPlace === true || options.under !== undefined) {
    throw refusal(from, 'it is no archive', 'Leave --in-place and --under out.');
  }
  if (format === 'jsonl' && options.mode !== 'new-db') return importTables(context, options, what);
  if (options.mode !== undefined && options.mode !== 'new-db') {
    throw refusal(from, `a ${format} file replaces a whole database`, 'Leave --mode out.');
  }
  return importDatabase(context, options, what);
};

async function importAside(
  context: CommandContext,
  options: ImportOptions,
  from: string,
  to: string,
): Promise<ExitCode> {
  const job = { kind: 'import', params: { into: 'place', from, to } } as const;
  return printJobEnd(context, options, await runAside(context, options, job, dirname(to)));
}

async function confirmed(
  context: CommandContext,
  options: ImportOptions,
  { from, sourceId }: Import,
): Promise<void> {
  if (options.dryRun === true) return;
  await requireConfirmation(context, options, {
    verb: 'import into',
    thing: sourceId,
    question: `Change ${options.database ?? 'the database'} of ${sourceId} by what ${from} holds?`,
  });
}

async function importTables(
  context: CommandContext,
  options: ImportOptions,
  what: Import,
): Promise<ExitCode> {
  const { mode, database, table, strict, live, triggers, dryRun, checkpoint } = options;
  if (mode === undefined || mode === 'new-db') {
    const hint = 'Give --mode insert-ignore, upsert or replace; new-db replaces the database.';
    throw refusal(what.from, 'nothing says what becomes of rows that are there', hint);
  }
  await confirmed(context, options, what);
  const params = {
    ...{ ...what, mode, checkpoint },
    ...given({ database, table, strict, live, triggers, dryRun }),
  };
  return runJob(context, options, {
    method: 'table.import',
    params: { ...params, confirm: what.sourceId },
    offline: { kind: 'import', params: { into: 'tables', ...params } },
  });
}

async function importDatabase(
  context: CommandContext,
  options: ImportOptions,
  what: Import,
): Promise<ExitCode> {
  const { database, strict, dryRun, checkpoint, allowNewer } = options;
  const migrate = options.migrate ? undefined : false;
  await confirmed(context, options, what);
  const chosen = given({ database, strict, dryRun, allowNewer, migrate });
  const params = { ...what, checkpoint, ...chosen };
  return runJob(context, options, {
    method: 'database.import',
    params: { ...params, confirm: what.sourceId },
    offline: { kind: 'import', params: { into: 'database', ...params } },
  });
}

/** With --in-place the snapshot is restored at once: by the plan, the checkpoint and the swap of every restore. */
async function importSnapshot(
  context: CommandContext,
  options: ImportOptions,
  what: Import,
): Promise<ExitCode> {
  const { under, tag: tags, inPlace, dryRun } = options;
  const params = { ...what, ...given({ under, tags }) };
  const request = {
    method: 'snapshot.import',
    params,
    offline: { kind: 'import', params: { into: 'snapshot', ...params } },
  } as const;
  if (inPlace !== true) {
    if (dryRun !== true) return runJob(context, options, request);
    throw refusal(what.from, 'a snapshot changes nothing', 'Give --dry-run with --in-place.');
  }
  await confirmed(context, options, what);
  const imported = await finishJob(context, options, request);
  const snapshotId = imported.result?.['snapshotId'];
  if (imported.status !== 'succeeded' || typeof snapshotId !== 'string') {
    return printJobEnd(context, options, imported);
  }
  if (options.json !== true) printJobEnd(context, options, imported);
  const { checkpoint, allowNewer, migrate } = options;
  const restore = {
    ...{ snapshotId, checkpoint, target: { type: 'in-place' } as const },
    ...given({ allowNewer, migrate: migrate ? undefined : false }),
    ...(dryRun === true ? { dryRun } : { replaceDatabases: true }),
  };
  return runJob(context, options, {
    method: 'restore.run',
    params: { ...restore, ...(dryRun === true ? {} : { confirm: what.sourceId }) },
    offline: { kind: 'restore', params: restore },
  });
}
