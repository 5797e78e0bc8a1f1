import type { LiveSettings } from '../config/live-settings.ts';
import { hostPathOf } from '../config/root-paths.ts';
import type { SourceSettings } from '../config/settings.ts';
import type { Job, JobKind } from '../jobs/job.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { listPending } from '../restore/pending-restore.ts';
import type { BootProgress } from './boot-progress.ts';
import { bootstrapDatabases } from './bootstrap-databases.ts';
import type { JobEffects } from './job-effects.ts';
import { filesOf, recoveryDeadlineMs } from './recovery-deadline.ts';
import type { RepositoryView } from './repository-view.ts';
import type { SourceStates } from './source-states.ts';

export interface BootOptions {
  readonly live: LiveSettings;
  readonly queue: JobQueue;
  /** Hears of every job of the queue. */
  readonly effects: Pick<JobEffects, 'settled'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly progress: BootProgress;
  readonly repository: RepositoryView;
  readonly sources: SourceStates;
  /** Aborted when the daemon is asked to stop before it is ready. */
  readonly signal: AbortSignal;
}

/** Kinds that may run before the daemon is ready; others wait in the queue. */
export const BOOT_KINDS: readonly JobKind[] = ['reconcile', 'apply', 'bootstrap', 'recover'];

const WAIT_SLICE_MS = 60_000;

/**
 * What comes before triggers, in this order: what was interrupted is finished, leftovers go, the repository is put
 * in order; then databases that are not there yet are made, where that was asked for; then every database is checked, and
 * repaired where it must be. A step that fails is reported, and boot goes on: a daemon that does not start protects
 * nothing. Only a database that cannot be made is waited for: an application must not start on an empty one.
 */
export async function bootJobs(options: BootOptions): Promise<void> {
  const { live, progress } = options;
  progress.enter('swaps');
  progress.step('finishing what was interrupted', 0, 1);
  const deadlineMs = live.current.worker.jobDeadlineMs;
  await runBootJob(options, { kind: 'reconcile', deadlineMs });
  await applyStagedRestores(options, deadlineMs);
  await bootstrapDatabases(options, (sourceId) =>
    runBootJob(options, { kind: 'bootstrap', sourceId, params: { sourceId }, deadlineMs }),
  );
  progress.enter('recovery');
  const sources = live.current.sources.filter(({ recovery }) => recovery.onBoot !== 'off');
  for (const [index, source] of sources.entries()) {
    options.signal.throwIfAborted();
    progress.step(`checking the databases of ${source.name}`, index, sources.length);
    await recoverAtBoot(options, source);
  }
}

/** Before databases are checked: what is about to be replaced needs no repair. */
async function applyStagedRestores(options: BootOptions, deadlineMs: number): Promise<void> {
  const pending = await listPending(options.live.current.stateDirectory).catch(() => null);
  if (pending?.length === 0) return;
  options.progress.enter('restores');
  options.progress.step('putting staged restores in place', 0, 1);
  await runBootJob(options, { kind: 'apply', params: { automatic: true }, deadlineMs });
}

async function recoverAtBoot(options: BootOptions, source: SourceSettings): Promise<void> {
  const mode = source.recovery.onBoot === 'check' ? 'check-only' : 'if-needed';
  const sourceId = source.id;
  const job = await runBootJob(options, {
    kind: 'recover',
    sourceId,
    params: { sourceId, mode },
    deadlineMs: await recoveryDeadlineMs(source, await filesOf(source)),
  });
  if (job.status === 'succeeded') return;
  // One database that crashes or hangs its worker must not keep the others from being looked at.
  const databases = await knownDatabases(options, source);
  for (const database of databases) {
    options.signal.throwIfAborted();
    const single = await runBootJob(options, {
      kind: 'recover',
      sourceId,
      params: { sourceId, database, mode },
      deadlineMs: await recoveryDeadlineMs(source, [database]),
    });
    if (single.status !== 'succeeded') noteFailure(options, source, database, single);
  }
  if (databases.length === 0) noteFailure(options, source, source.roots[0]!.path, job);
}

function noteFailure(
  { sources, clock }: BootOptions,
  source: SourceSettings,
  path: string,
  job: Job,
): void {
  const reason = `it could not be checked: ${job.error?.message ?? job.status}`;
  sources.noteUnchecked(source.id, path, reason, job.finishedAt ?? isoTime(clock.nowMs()));
}

/** Databases that the newest snapshot names; none where there is no snapshot that can be read. */
async function knownDatabases(
  { repository, logger }: BootOptions,
  source: SourceSettings,
): Promise<string[]> {
  const { last } = repository.snapshotsOf(source.id);
  if (last === null) return [];
  try {
    const { databases } = await (await repository.reader()).readManifest(last.id);
    return databases.flatMap(({ path }) => hostPathOf(source, path) ?? []);
  } catch (error) {
    logger.warn({ error: messageOf(error), snapshotId: last.id }, 'manifest cannot be read');
    return [];
  }
}

interface BootJob {
  readonly kind: JobKind;
  readonly sourceId?: string;
  readonly params?: Record<string, unknown>;
  /** A worker that hangs inside SQLite is ended then; boot goes on without it. */
  readonly deadlineMs: number;
}

async function runBootJob(
  { queue, effects, signal, logger }: BootOptions,
  { kind, sourceId, params = {}, deadlineMs }: BootJob,
): Promise<Job> {
  const { id } = queue.submit({
    kind,
    sourceId: sourceId ?? null,
    params,
    actor: 'boot',
    mutating: true,
    coalesceKey: null,
    deadlineMs,
  });
  let job = queue.get(id);
  // Its own deadlines bound the job; here it is only waited for.
  while (['queued', 'running'].includes(job.status)) {
    job = await queue.wait(id, WAIT_SLICE_MS, signal);
  }
  // What follows builds on what the daemon has learned from it.
  await effects.settled();
  if (job.status !== 'succeeded') {
    logger.error({ kind, sourceId, error: job.error }, 'boot step failed');
  }
  return job;
}
