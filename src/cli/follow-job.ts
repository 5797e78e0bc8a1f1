import { type ErrorDocument, HoldfastError } from '../kernel/errors.ts';
import type { JobDocument } from '../protocol/method-map.ts';
import type { CommandContext } from './context.ts';
import type { DaemonConnection } from './daemon-connection.ts';
import type { FinishedJob } from './job-outcome.ts';
import type { ProgressMeter } from './output/progress-meter.ts';

/** One `job.wait` holds for this long; then it is asked again. */
const WAIT_SLICE_MS = 20_000;
/** The daemon answers within the slice; the rest is room for a busy host. */
const WAIT_CALL_MS = WAIT_SLICE_MS + 30_000;

/** Whose job it is decides what Ctrl-C does: one's own is cancelled, somebody else's is merely left alone. */
export type Ownership = 'own' | 'foreign';

/**
 * Follows a job of the daemon to its end, drawing its progress. When the context's signal is aborted, the daemon is
 * asked to cancel an own job, whose end is awaited all the same; a foreign one is left.
 * @throws DAEMON_UNREACHABLE when the connection is lost: the job goes on without us; the signal's reason
 */
export async function followJob(
  { signal }: CommandContext,
  daemon: DaemonConnection,
  started: JobDocument,
  ownership: Ownership,
  meter: ProgressMeter,
): Promise<FinishedJob> {
  const isOwn = ownership === 'own';
  const cancellation = isOwn ? cancelWhenAborted(daemon, started.id, signal) : null;
  const subscription = await daemon.subscribe({ types: ['job.progress'], jobId: started.id });
  const drawing = (async () => {
    for await (const event of subscription) {
      if (event.type === 'job.progress') meter.update(event.progress);
    }
  })().catch(() => {
    // The connection's end is reported by the wait below.
  });
  try {
    if (started.progress !== null) meter.update(started.progress);
    return await waitForEnd(daemon, started.id, isOwn ? null : signal);
  } catch (error) {
    throw withJobHint(error, started.id);
  } finally {
    cancellation?.release();
    subscription.close();
    await drawing;
    meter.end();
  }
}

async function waitForEnd(
  daemon: DaemonConnection,
  id: string,
  leave: AbortSignal | null,
): Promise<FinishedJob> {
  for (;;) {
    const { job } = await daemon.call(
      'job.wait',
      { id, timeoutMs: WAIT_SLICE_MS },
      { timeoutMs: WAIT_CALL_MS, ...(leave === null ? {} : { signal: leave }) },
    );
    const finished = asFinished(job);
    if (finished !== null) return finished;
  }
}

/** The end of a job, or null while it has none. */
export function asFinished(job: JobDocument): FinishedJob | null {
  const { id, kind, status, warnings, result, error } = job;
  if (status === 'queued' || status === 'running') return null;
  return { id, kind, status, warnings, result, error };
}

function cancelWhenAborted(
  daemon: DaemonConnection,
  id: string,
  signal: AbortSignal,
): { release(): void } {
  const cancel = (): void => {
    // A refusal (already finished, inside a swap) shows in how the job ends.
    daemon.call('job.cancel', { id }).catch(() => {});
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return { release: () => signal.removeEventListener('abort', cancel) };
}

function withJobHint(error: unknown, id: string): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'DAEMON_UNREACHABLE') return error;
  const document: ErrorDocument = {
    ...error.toDocument(),
    hint: `The job may go on or be found interrupted: holdfast job ${id}`,
  };
  return HoldfastError.fromDocument(document);
}
