import { sleep } from '../kernel/clock.ts';
import { cannot, HoldfastError } from '../kernel/errors.ts';
import type { DaemonStatus } from '../protocol/method-map.ts';
import type { CommandContext } from './context.ts';
import type { DaemonConnection } from './daemon-connection.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { followJob } from './follow-job.ts';
import type { GlobalOptions } from './global-options.ts';
import type { FinishedJob } from './job-outcome.ts';
import { runOffline } from './offline.ts';
import { type LooseDocument, textField } from './output/document-fields.ts';
import { openProgressMeter, type ProgressMeter } from './output/progress-meter.ts';
import { DATABASE_COLUMNS } from './output/recovery-summary.ts';
import { renderTable } from './output/table.ts';
import { isFit, recoveredDatabases } from './recovered-databases.ts';
import { noteError, printJson } from './report.ts';
import { connectUnlessDown, type JobRequest, submit } from './run-job.ts';

/**
 * The gate before an application's start: 0 once every database is fit, 1 when one is not. It asks the daemon,
 * waits for it while it boots, and does the work itself where there is none.
 */
export interface GateVerdict {
  readonly fit: boolean;
  readonly jobId: string | null;
  readonly databases: readonly LooseDocument[];
  readonly error: FinishedJob['error'];
}

const BOOT_POLL_MS = 200;
/** A daemon that is just starting or stopping holds the lock, but no socket, for no longer than this. */
const CHANGEOVER_MS_MAX = 60_000;
const CHANGEOVER_POLL_MS = 250;

export async function passGate(
  context: CommandContext,
  options: GlobalOptions,
  request: JobRequest<'recovery.run'>,
): Promise<ExitCode> {
  const verdict = await reachVerdict(context, options, request);
  const exitCode = verdict.fit ? EXIT.ok : EXIT.failed;
  if (options.json === true) {
    const { fit, jobId, databases, error } = verdict;
    printJson(context, { fit, exitCode, jobId, databases, ...(error === null ? {} : { error }) });
    return exitCode;
  }
  const { terminal } = context;
  const worthShowing = verdict.databases.filter(
    (database) => !['ok', 'skipped'].includes(textField(database, 'state') ?? ''),
  );
  if (worthShowing.length > 0) {
    terminal.note(renderTable(DATABASE_COLUMNS, worthShowing, terminal.noteColor));
  }
  if (verdict.error !== null) noteError(context, verdict.error);
  if (!verdict.fit) terminal.note('Not every database is fit for the application to start.');
  return exitCode;
}

async function reachVerdict(
  context: CommandContext,
  options: GlobalOptions,
  request: JobRequest<'recovery.run'>,
): Promise<GateVerdict> {
  const { clock, signal } = context;
  const meter = openProgressMeter(context.terminal, clock);
  const deadlineMs = clock.monotonicMs() + CHANGEOVER_MS_MAX;
  for (;;) {
    const daemon = await connectUnlessDown(context, options);
    if (daemon !== null) {
      const verdict = await askDaemon(context, daemon, request, meter).finally(
        daemon.close.bind(daemon),
      );
      if (verdict !== null) return verdict;
    } else {
      const job = await runOffline(context, options, request.offline, meter);
      if (job.error?.code !== 'INSTANCE_LOCKED') return judgeJob(job);
    }
    if (clock.monotonicMs() >= deadlineMs) {
      throw cannot('BUSY', 'reach', 'the daemon', 'it neither answers nor lets go of its lock', {
        hint: 'See what it is doing: holdfast doctor.',
        retryable: true,
      });
    }
    await sleep(clock, CHANGEOVER_POLL_MS, signal);
  }
}

/** Null when the daemon went away before it could answer. */
async function askDaemon(
  context: CommandContext,
  daemon: DaemonConnection,
  request: JobRequest<'recovery.run'>,
  meter: ProgressMeter,
): Promise<GateVerdict | null> {
  try {
    const booted = await waitForBoot(context, daemon, request.params.sourceId, meter);
    if (booted !== 'ready') return booted;
    const { job, coalesced } = await submit(daemon, request);
    const ownership = coalesced ? 'foreign' : 'own';
    return judgeJob(await followJob(context, daemon, job, ownership, meter));
  } catch (error) {
    const gone = error instanceof HoldfastError && error.code === 'DAEMON_UNREACHABLE';
    if (gone) return null;
    throw error;
  } finally {
    meter.end();
  }
}

const BEFORE_VERDICT: readonly DaemonStatus['bootPhase'][] = [
  'starting',
  'swaps',
  'restores',
  'bootstrap',
  'recovery',
];

/** What boot found out, `ready` where a job can be asked for, or null when the daemon is stopping. */
async function waitForBoot(
  { clock, signal, terminal }: CommandContext,
  daemon: DaemonConnection,
  sourceReference: string | undefined,
  meter: ProgressMeter,
): Promise<GateVerdict | 'ready' | null> {
  let shownPhase = '';
  for (;;) {
    const status = await daemon.call('daemon.status', {}, { signal });
    if (status.bootPhase === 'stopping') return null;
    if (status.ready) return 'ready';
    const failure = bootstrapFailure(status);
    if (failure !== null) return failure;
    if (!BEFORE_VERDICT.includes(status.bootPhase)) {
      const verdict = judgeBoot(status, sourceReference);
      if (verdict !== null) return verdict;
    }
    if (status.bootPhase !== shownPhase) {
      shownPhase = status.bootPhase;
      const message = status.bootProgress?.message;
      meter.note(`The daemon is starting: ${message ?? shownPhase}`);
    }
    if (terminal.animated && status.bootProgress !== null) meter.update(bootView(status));
    await sleep(clock, BOOT_POLL_MS, signal);
  }
}

/** Before it is made, an application would start on a database that is empty. */
function bootstrapFailure({ warnings }: DaemonStatus): GateVerdict | null {
  const failed = warnings.find(({ code }) => code === 'BOOTSTRAP_FAILED');
  if (failed === undefined) return null;
  const hint = 'The daemon tries again every minute: holdfast status.';
  const error = { code: 'NOT_READY', message: failed.message, hint, retryable: true } as const;
  return { fit: false, jobId: null, databases: [], error };
}

function bootView({ bootPhase, bootProgress }: DaemonStatus) {
  const total = bootProgress?.total ?? null;
  const done = bootProgress?.done ?? 0;
  return {
    phase: bootPhase,
    currentFile: bootProgress?.message ?? null,
    filesDone: done,
    totalFiles: total,
    bytesDone: 0,
    totalBytes: null,
    percentDone: total === null || total === 0 ? null : done / total,
    throughputBps: null,
    etaSeconds: null,
  };
}

/** The verdict of the boot that is under way, or null where it did not look at every database. */
function judgeBoot(status: DaemonStatus, sourceReference: string | undefined): GateVerdict | null {
  const sources = status.sources.filter(
    ({ id, name }) => sourceReference === undefined || [id, name].includes(sourceReference),
  );
  const databases = sources.flatMap((source) => source.databases);
  const looked = databases.length > 0 && databases.every(({ state }) => state !== 'unknown');
  if (!looked) return null;
  return { fit: databases.every(isFit), jobId: null, databases, error: null };
}

function judgeJob(job: FinishedJob): GateVerdict {
  const databases = recoveredDatabases(job.result);
  const isJudged = databases.length > 0 || job.result?.['ok'] === true;
  const fit = job.status === 'succeeded' && isJudged && databases.every(isFit);
  return { fit, jobId: job.id, databases, error: job.error };
}
