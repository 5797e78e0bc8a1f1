import type { Settings } from '../config/settings.ts';
import type { Job } from '../jobs/job.ts';
import type { JobEvent } from '../jobs/job-events.ts';
import type { Logger } from '../kernel/logger.ts';
import type { BaselineRecords } from '../state/baseline-records.ts';
import type { Triggers } from '../triggers/triggers.ts';
import type { RepositoryView } from './repository-view.ts';
import type { SourceStates } from './source-states.ts';

export interface JobEffectsOptions {
  readonly settings: Settings;
  readonly logger: Logger;
  readonly baselines: BaselineRecords;
  readonly repository: RepositoryView;
  readonly sources: SourceStates;
  /** Null until triggers are armed. */
  triggers(): Pick<Triggers, 'noteSnapshot' | 'noteFailure'> | null;
  /** A worker was ended in the middle of its work: what it left half done is to be finished at once. */
  onWorkerKilled(job: Job): void;
  /** What `status` says of this source may have changed. */
  onSourceChanged(sourceId: string): void;
}

/** How jobs end whose worker had no chance to clean up. */
const KILLED: ReadonlySet<string> = new Set([
  'WORKER_CRASHED',
  'TIMEOUT',
  'LIMIT_EXCEEDED',
  'CANCELLED',
]);

/** What the end of a job means to the rest of the daemon. */
export class JobEffects {
  readonly #options: JobEffectsOptions;
  #settling: Promise<void> = Promise.resolve();

  constructor(options: JobEffectsOptions) {
    this.#options = options;
  }

  /** For `JobQueue.onEvent`: returns at once, works in the order of the events. */
  receive(event: JobEvent): void {
    if (event.type !== 'job.changed') return;
    const { job } = event;
    if (!['succeeded', 'failed', 'cancelled'].includes(job.status)) return;
    this.#settling = this.#settling.then(() => this.#settle(job));
  }

  /** Everything received so far has taken effect. */
  settled(): Promise<void> {
    return this.#settling;
  }

  async #settle(job: Job): Promise<void> {
    const { repository, sources, onWorkerKilled, onSourceChanged, logger } = this.#options;
    if (job.error !== null && KILLED.has(job.error.code)) onWorkerKilled(job);
    if (job.kind === 'backup') this.#settleBackup(job);
    if (job.kind === 'restore') this.#settleRestore(job);
    if (job.kind === 'recover' && job.status === 'succeeded') sources.noteRecovery(job);
    if (job.kind !== 'check') await repository.refresh();
    if (job.kind === 'backup' && job.status === 'succeeded') {
      const { shortId, good } = job.result as { shortId: string; good: boolean };
      const level = good ? 'info' : 'error';
      logger[level]({ snapshot: shortId, sourceId: job.sourceId, good }, 'snapshot taken');
    } else if (job.status === 'failed') {
      logger.error({ jobId: job.id, kind: job.kind, error: job.error }, 'job failed');
    }
    if (job.sourceId !== null) onSourceChanged(job.sourceId);
  }

  #settleRestore(job: Job): void {
    const { settings, sources } = this.#options;
    const source = settings.sources.find(({ id }) => id === job.sourceId);
    const { type } = (job.params['target'] ?? {}) as { type?: string };
    if (source === undefined || type !== 'in-place' || job.params['dryRun'] === true) return;
    if (job.status !== 'succeeded' || job.result === null || job.finishedAt === null) return;
    sources.noteRestore(source, job.result, job.finishedAt);
  }

  #settleBackup(job: Job): void {
    const { settings, baselines, sources, triggers } = this.#options;
    const source = settings.sources.find(({ id }) => id === job.sourceId);
    if (source === undefined) return;
    if (job.status !== 'succeeded' || job.result === null) {
      if (job.params['origin'] === 'change') triggers()?.noteFailure(source.id);
      return;
    }
    sources.noteBackup(source, job.result);
    // Only a full snapshot stands for all of the source.
    if (job.params['type'] !== 'full' && job.params['type'] !== undefined) return;
    const { sourceFingerprint, snapshotId, capturedAt } = job.result as {
      sourceFingerprint: string;
      snapshotId: string;
      capturedAt: string;
    };
    const at = Date.parse(capturedAt);
    baselines.put({ sourceId: source.id, sourceFingerprint, snapshotId, at });
    triggers()?.noteSnapshot(source.id, sourceFingerprint, at);
  }
}
