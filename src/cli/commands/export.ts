import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { cannot } from '../../kernel/errors.ts';
import type { MethodParams } from '../../protocol/method-map.ts';
import type { CommandContext, CommandRun } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { type ExportFormat, exportFormat } from '../export-format.ts';
import { followJob } from '../follow-job.ts';
import { given } from '../given.ts';
import type { GlobalOptions } from '../global-options.ts';
import type { FinishedJob } from '../job-outcome.ts';
import { runAside, runOffline } from '../offline.ts';
import { openProgressMeter } from '../output/progress-meter.ts';
import { type ExportReceiver, receiveExport } from '../receive-export.ts';
import { printJobEnd } from '../report.ts';
import { connectUnlessDown, type JobRequest, runJob, submit } from '../run-job.ts';

interface ExportOptions extends GlobalOptions {
  readonly source?: string;
  readonly now?: boolean;
  readonly file?: string;
  readonly format?: ExportFormat;
  readonly database?: string;
  readonly table?: readonly string[];
  readonly path?: readonly string[];
  readonly part?: readonly ('data' | 'config' | 'extra')[];
  readonly plain?: boolean;
  readonly to?: string;
  readonly overwrite?: boolean;
  readonly verify?: boolean;
  readonly wait?: boolean;
}

type ExportParams = Omit<MethodParams<'snapshot.export'>, 'to'>;
type Where = { readonly type: 'file' | 'socket'; readonly path: string };

function refusal(state: string, hint: string): Error {
  return cannot('INVALID_PARAMS', 'export', '', state, { hint });
}

/** What is exported: a snapshot, a source as it is now, or any SQLite file. @throws INVALID_PARAMS */
function requireOneSubject(id: string | undefined, options: ExportOptions): void {
  const { source, now, file } = options;
  const subjects = [id, now, file].filter((each) => each !== undefined);
  const hint = 'Give a snapshot (or latest), --source NAME --now, or --file DATABASE.';
  if (subjects.length === 0) throw refusal('nothing is named to export', hint);
  if (subjects.length > 1) throw refusal('more than one thing is named to export', hint);
  if (now === true && source === undefined) throw refusal('--now is of a source', hint);
  if (file !== undefined && source !== undefined) throw refusal('--file is of no source', hint);
}

/** `holdfast export ID|latest --to FILE`, `export --source NAME --now --to FILE`, `export --file DATABASE --to FILE` */
export const run: CommandRun<ExportOptions> = async (context, [id], options) => {
  requireOneSubject(id, options);
  const { to } = options;
  if (to === undefined)
    throw refusal('no target is named', 'Give --to FILE, or --to - for stdout.');
  const { database, table: tables, path: paths, part: classes, plain } = options;
  const { overwrite, verify, source: sourceId } = options;
  const params: ExportParams = {
    format: exportFormat(options.format, to),
    ...given({ database, tables, paths, classes, plain, overwrite, verify, sourceId }),
    ...given({ snapshotId: id }),
  };
  if (to === '-') return exportToStdout(context, options, params);
  const path = resolve(to);
  if (options.file !== undefined) {
    const job = asideJob(options.file, params, { type: 'file', path });
    return printJobEnd(context, options, await runAside(context, options, job, dirname(path)));
  }
  return runJob(context, options, requestOf(params, { type: 'file', path }));
};

function requestOf(params: ExportParams, to: Where): JobRequest<'snapshot.export'> {
  const target = to.type === 'file' ? to.path : { type: 'socket' as const, path: to.path };
  return {
    method: 'snapshot.export',
    params: { ...params, to: target },
    offline: { kind: 'export', params: { ...params, to } },
  };
}

const asideJob = (file: string, params: ExportParams, to: Where) =>
  ({ kind: 'export', params: { ...params, file: resolve(file), to } }) as const;

/** Data alone goes to stdout: what is said about it goes where progress does. */
async function exportToStdout(
  context: CommandContext,
  options: ExportOptions,
  params: ExportParams,
): Promise<ExitCode> {
  if (options.wait === false) {
    throw refusal('nobody would read it', 'Leave --no-wait out, or export to a file.');
  }
  const daemon = options.file === undefined ? await connectUnlessDown(context, options) : null;
  const receiver = await receiveExport(context, options, daemon !== null);
  const enough = new AbortController();
  const signal = AbortSignal.any([context.signal, enough.signal]);
  const received = receiver.received.then((end) => {
    if (!end.isWhole) enough.abort(cannot('CANCELLED', 'export', '', 'nobody reads it any more'));
    return end;
  });
  try {
    const to = { type: 'socket', path: receiver.path } as const;
    const running = { ...context, signal };
    const job = await runStreaming(running, options, params, { to, daemon });
    await settled(receiver, job);
    return await endOf(context, options, job, await received);
  } finally {
    daemon?.close();
    await receiver.close();
  }
}

type Streaming = {
  readonly to: Where;
  readonly daemon: Awaited<ReturnType<typeof connectUnlessDown>>;
};

async function runStreaming(
  context: CommandContext,
  options: ExportOptions,
  params: ExportParams,
  { to, daemon }: Streaming,
): Promise<FinishedJob> {
  if (options.file !== undefined) {
    return runAside(context, options, asideJob(options.file, params, to), tmpdir());
  }
  const request = requestOf(params, to);
  const meter = openProgressMeter(context.terminal, context.clock);
  if (daemon === null) return runOffline(context, options, request.offline, meter);
  const { job } = await submit(daemon, request);
  return followJob(context, daemon, job, 'own', meter);
}

/** A job that failed may never have come to send anything. */
async function settled(receiver: ExportReceiver, job: FinishedJob): Promise<void> {
  if (job.status !== 'succeeded') await receiver.close();
}

async function endOf(
  context: CommandContext,
  options: ExportOptions,
  job: FinishedJob,
  { isWhole, sha256 }: { readonly isWhole: boolean; readonly sha256: string },
): Promise<ExitCode> {
  if (!isWhole) return EXIT.ok;
  const { terminal } = context;
  const aside = { ...context, terminal: { ...terminal, out: terminal.note } };
  const exitCode = printJobEnd(aside, options, job);
  if (job.status !== 'succeeded' || job.result?.['sha256'] === sha256) return exitCode;
  throw cannot('VERIFY_FAILED', 'export', '-', 'what came is not what was sent', {
    hint: 'Try again, or export to a file.',
  });
}
