import { cannot } from '../kernel/errors.ts';
import type { MethodParams } from '../protocol/method-map.ts';
import type { CommandContext } from './context.ts';
import { type DaemonConnection, isDaemonDown } from './daemon-connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { followJob } from './follow-job.ts';
import type { GlobalOptions } from './global-options.ts';
import type { FinishedJob } from './job-outcome.ts';
import { type OfflineJob, runOffline } from './offline.ts';
import { openProgressMeter } from './output/progress-meter.ts';
import { printDocument, printJobEnd } from './report.ts';

/** Methods of the daemon that answer with a job. */
export type JobMethod =
  | 'snapshot.create'
  | 'snapshot.verify'
  | 'snapshot.diff'
  | 'repository.init'
  | 'database.statistics'
  | 'database.checkpoint'
  | 'database.optimize'
  | 'migration.status'
  | 'migration.pending'
  | 'migration.check'
  | 'migration.up'
  | 'migration.down'
  | 'hook.test'
  | 'plugin.run'
  | 'snapshot.tag'
  | 'snapshot.pin'
  | 'snapshot.unpin'
  | 'snapshot.reseal'
  | 'restore.run'
  | 'restore.file'
  | 'restore.stage'
  | 'restore.apply'
  | 'recovery.run'
  | 'drill.run'
  | 'source.coverage'
  | 'source.discover'
  | 'retention.apply'
  | 'repository.check'
  | 'repository.prune'
  | 'repository.reconcile'
  | 'snapshot.delete'
  | 'repository.rebuild'
  | 'artifact.export'
  | 'artifact.verify'
  | 'artifact.import'
  | 'artifact.publish'
  | 'artifact.fetch'
  | 'snapshot.export'
  | 'table.import'
  | 'database.import'
  | 'snapshot.import'
  | 'repository.copy'
  | 'repository.addKey'
  | 'repository.rotateKey'
  | 'repository.accept'
  | 'repository.convert'
  | 'repository.removeKey';

export interface JobRequest<Method extends JobMethod = JobMethod> {
  readonly method: Method;
  readonly params: MethodParams<Method>;
  /** The same work for a worker of ours. */
  readonly offline: OfflineJob;
}

export interface WaitOptions {
  /** False: the command ends when the job is accepted. */
  readonly wait?: boolean;
}

/** Has a job done by the daemon, or without one where there is none, and ends with the job's end. */
export async function runJob<Method extends JobMethod>(
  context: CommandContext,
  options: GlobalOptions & WaitOptions,
  request: JobRequest<Method>,
): Promise<ExitCode> {
  if (options.wait === false) return submitOnly(context, options, request);
  return printJobEnd(context, options, await finishJob(context, options, request));
}

/** Like `runJob`, for commands that judge the end themselves. */
export async function finishJob<Method extends JobMethod>(
  context: CommandContext,
  options: GlobalOptions,
  request: JobRequest<Method>,
): Promise<FinishedJob> {
  const daemon = await connectUnlessDown(context, options);
  const meter = openProgressMeter(context.terminal, context.clock);
  if (daemon === null) {
    context.terminal.note('The daemon is not running; this command does the work itself.');
    return runOffline(context, options, request.offline, meter);
  }
  try {
    const { job, coalesced } = await submit(daemon, request);
    return await followJob(context, daemon, job, coalesced ? 'foreign' : 'own', meter);
  } finally {
    daemon.close();
  }
}

/** Null where no daemon listens. @throws DAEMON_UNREACHABLE for other reasons */
export async function connectUnlessDown(
  context: CommandContext,
  options: GlobalOptions,
): Promise<DaemonConnection | null> {
  try {
    return await context.connect(options);
  } catch (error) {
    if (isDaemonDown(error)) return null;
    throw error;
  }
}

export function submit<Method extends JobMethod>(
  daemon: DaemonConnection,
  { method, params }: JobRequest<Method>,
) {
  return daemon.call<JobMethod>(method, params);
}

async function submitOnly<Method extends JobMethod>(
  context: CommandContext,
  options: GlobalOptions,
  request: JobRequest<Method>,
): Promise<ExitCode> {
  const daemon = await connectUnlessDown(context, options);
  if (daemon === null) {
    throw cannot('DAEMON_UNREACHABLE', 'leave a job to', 'the daemon', 'it is not running', {
      hint: 'Start it, or leave --no-wait out: the command then does the work itself.',
    });
  }
  try {
    const { job } = await submit(daemon, request);
    printDocument(context, options, job, ({ id }) => id);
    return EXIT.ok;
  } finally {
    daemon.close();
  }
}
