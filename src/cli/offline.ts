import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import type { FromWorker, WorkerStart } from '../jobs/worker-messages.ts';
import { cannot, messageOf, systemCode } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import { CANCEL_GRACE_MS } from '../kernel/limits.ts';
import { silentLogger } from '../kernel/logger.ts';
import type { CommandContext } from './context.ts';
import { refuseForeignState } from './daemon-connection.ts';
import type { GlobalOptions } from './global-options.ts';
import type { FinishedJob } from './job-outcome.ts';
import { printable } from './output/printable.ts';
import {
  openProgressMeter,
  type ProgressMeter,
  type ProgressView,
} from './output/progress-meter.ts';

/** Work without a daemon: the same operation in a worker of this command, in the daemon's place and under its lock. */

export interface OfflineJob {
  readonly kind: FinishedJob['kind'];
  readonly params: Readonly<Record<string, unknown>>;
}

/** The settings the daemon would have; loaded only here, since validating them is heavy. */
export async function offlineSettings(
  { environment }: CommandContext,
  options: GlobalOptions,
): Promise<Settings> {
  const { loadOfflineSettings } = await import('../config/load-settings.ts');
  const settings = await loadOfflineSettings(options, environment);
  const owner = await ownerOf(settings.stateDirectory);
  if (owner !== null) refuseForeignState(settings.stateDirectory, owner);
  return settings;
}

async function ownerOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).uid;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Runs one job to its end, which is never an exception. Aborting the context's signal cancels it. */
export async function runOffline(
  context: CommandContext,
  options: GlobalOptions,
  job: OfflineJob,
  meter: ProgressMeter,
): Promise<FinishedJob> {
  return runOwnWorker(context, await offlineSettings(context, options), job, meter, true);
}

/**
 * Runs a job that neither changes what is protected nor needs to know anything of the past, so that it works beside
 * a daemon and where Holdfast was never set up: its state is a folder in `directory` that is removed at the end.
 */
export async function runAside(
  context: CommandContext,
  options: GlobalOptions,
  job: OfflineJob,
  directory: string,
): Promise<FinishedJob> {
  const [{ loadOfflineSettings }, { newStagingName }] = await Promise.all([
    import('../config/load-settings.ts'),
    import('../files/staging.ts'),
  ]);
  const settings = await loadOfflineSettings(options, context.environment);
  const stateDirectory = join(directory, newStagingName());
  const meter = openProgressMeter(context.terminal, context.clock);
  await mkdir(stateDirectory, { mode: 0o700 }).catch((error: unknown) => {
    const code = systemCode(error);
    const hint = 'Name a file in a directory that exists and that you may write to.';
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw cannot('PATH_NOT_FOUND', 'write into', directory, 'there is no such directory', {
        hint,
      });
    }
    throw cannot('IO_ERROR', 'write into', directory, messageOf(error), { hint, cause: error });
  });
  try {
    return await runOwnWorker(context, { ...settings, stateDirectory }, job, meter, false);
  } finally {
    await rm(stateDirectory, { recursive: true, force: true });
  }
}

async function runOwnWorker(
  context: CommandContext,
  settings: Settings,
  { kind, params }: OfflineJob,
  meter: ProgressMeter,
  offline: boolean,
): Promise<FinishedJob> {
  const { clock, environment, signal } = context;
  const { runWorker } = await import('../jobs/worker-process.ts');
  const id = newId(clock.nowMs());
  const start: WorkerStart = { type: 'start', jobId: id, kind, params, settings, offline };
  const outcome = await runWorker({
    entry: context.programPath('worker'),
    start,
    deadlineMs: settings.worker.jobDeadlineMs,
    memoryBytesMax: settings.worker.memoryBytesMax,
    graceMs: CANCEL_GRACE_MS,
    clock,
    logger: silentLogger,
    env: environment,
    onMessage: showMessages(meter),
    signal,
  });
  meter.end();
  return { id, kind, ...outcome };
}

/** Draws what a worker reports. */
export function showMessages(meter: ProgressMeter): (message: FromWorker) => void {
  let view: ProgressView = {
    phase: 'starting',
    currentFile: null,
    filesDone: 0,
    totalFiles: null,
    bytesDone: 0,
    totalBytes: null,
    percentDone: null,
    throughputBps: null,
    etaSeconds: null,
  };
  return (message) => {
    if (message.type === 'warn') meter.note(`warning: ${printable(message.message)}`);
    if (message.type === 'log' && message.stream !== 'event')
      meter.note(printable(message.message));
    if (message.type !== 'progress') return;
    const counts = { ...view, ...message.counts };
    view = { ...counts, percentDone: share(counts) };
    meter.update(view);
  };
}

/** 0..1, by bytes where they are known; 1 is left to the end of the job. */
function share({ bytesDone, totalBytes, filesDone, totalFiles }: ProgressView): number | null {
  const [done, total] =
    totalBytes !== null && totalBytes > 0 ? [bytesDone, totalBytes] : [filesDone, totalFiles];
  return total === null || total === 0 ? null : Math.min(done / total, 0.999);
}
