import type { LiveSettings } from '../config/live-settings.ts';
import type { Job } from '../jobs/job.ts';
import type { JobEvent } from '../jobs/job-events.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { BaselineRecords } from '../state/baseline-records.ts';
import type { Triggers } from '../triggers/triggers.ts';
import type { RepositoryMemory } from './repository-memory.ts';
import type { RepositoryView } from './repository-view.ts';
import type { SourceStates } from './source-states.ts';

export interface JobEffectsOptions {
  readonly live: LiveSettings;
  readonly logger: Logger;
  readonly baselines: BaselineRecords;
  readonly repository: RepositoryView;
  /** Tells when snapshots are gone that nobody here removed. */
  readonly memory: Pick<RepositoryMemory, 'look'>;
  readonly sources: SourceStates;
  /** Null until triggers are armed. */
  triggers(): Pick<Triggers, 'noteSnapshot' | 'noteFailure'> | null;
  /** However it ended: what it left half done is to be finished. */
  onEnded(job: Job): void;
  /** A good snapshot was taken: older ones may be too many now. */
  onGoodBackup(sourceId: string, actor: Job['actor']): Promise<void>;
  /** The repository is another one now, in the same folder. */
  onConverted(): Promise<void>;
  /** The repository was looked at again. */
  onLooked(): void;
  /** Snapshots may have come, gone, or got other notes. */
  onSnapshotsChanged(job: Job): void;
  /** What `status` says of this source may have changed. */
  onSourceChanged(sourceId: string): void;
}

/** After these there may be other snapshots, or they may have other notes. */
const CHANGES_SNAPSHOTS: ReadonlySet<Job['kind']> = new Set<Job['kind']>([
  'annotate',
  'apply',
  'artifact',
  'backup',
  'convert',
  'delete',
  'drill',
  'export',
  'forget',
  'import',
  'publish',
  'migrate',
  'rebuild',
  'reconcile',
  'reseal',
  'restore',
  'verify',
]);

const REMOVES_SNAPSHOTS: ReadonlySet<Job['kind']> = new Set<Job['kind']>(['delete', 'forget']);

/** What the end of a job means to the rest of the daemon. */
export class JobEffects {
  readonly #options: JobEffectsOptions;
  #settling: Promise<void> = Promise.resolve();
  /** Jobs that remove snapshots, until they have taken effect. */
  readonly #removing = new Set<string>();

  constructor(options: JobEffectsOptions) {
    this.#options = options;
  }

  /** For `JobQueue.onEvent`: returns at once, works in the order of the events. */
  receive(event: JobEvent): void {
    if (event.type !== 'job.changed') return;
    const { job } = event;
    if (job.status === 'running' && REMOVES_SNAPSHOTS.has(job.kind)) this.#removing.add(job.id);
    if (!['succeeded', 'failed', 'cancelled'].includes(job.status)) return;
    this.#settling = this.#settling
      .then(() => this.#settle(job))
      // One effect that fails, as where state.db cannot be written, must cost neither the others nor the daemon.
      .catch((error: unknown) => {
        const { logger } = this.#options;
        logger.error({ jobId: job.id, error: messageOf(error) }, 'effects of a job not noted');
      });
  }

  /** Everything received so far has taken effect. */
  settled(): Promise<void> {
    return this.#settling;
  }

  async #settle(job: Job): Promise<void> {
    const { repository, sources, onEnded, onSourceChanged, logger } = this.#options;
    onEnded(job);
    if (job.result?.['unchanged'] === true) {
      await this.#settleUnchanged(job);
      return;
    }
    if (job.kind === 'backup') this.#settleBackup(job);
    if (job.kind === 'restore') this.#settleRestore(job);
    if (job.kind === 'artifact' || job.kind === 'import') this.#settleImported(job);
    if (job.kind === 'apply') this.#settleApplied(job);
    if (job.kind === 'recover' && job.status === 'succeeded') sources.noteRecovery(job);
    if (job.kind === 'convert') await this.#options.onConverted();
    if (job.kind !== 'check') await repository.refresh();
    this.#remember(job);
    this.#options.onLooked();
    if (CHANGES_SNAPSHOTS.has(job.kind)) this.#options.onSnapshotsChanged(job);
    if (job.kind === 'backup' && job.status === 'succeeded') {
      const { shortId, good } = job.result as { shortId: string; good: boolean };
      const level = good ? 'info' : 'error';
      logger[level]({ snapshot: shortId, sourceId: job.sourceId, good }, 'snapshot taken');
      if (good && job.sourceId !== null) {
        await this.#options.onGoodBackup(job.sourceId, job.actor);
      }
    } else if (job.status === 'failed') {
      logger.error({ jobId: job.id, kind: job.kind, error: job.error }, 'job failed');
    }
    if (job.sourceId !== null) onSourceChanged(job.sourceId);
  }

  /** There is no new snapshot; what a policy lets go by its age is let go all the same. */
  async #settleUnchanged({ result, sourceId, actor }: Job): Promise<void> {
    const { logger, onGoodBackup } = this.#options;
    logger.info({ snapshot: result?.['shortId'], sourceId }, 'nothing changed since the snapshot');
    if (sourceId !== null) await onGoodBackup(sourceId, actor);
  }

  /** While snapshots are being removed nobody can tell whether one that is gone should be. */
  #remember(job: Job): void {
    const removed = this.#removing.delete(job.id);
    const { sight } = this.#options.repository;
    if (sight !== null && this.#removing.size === 0) this.#options.memory.look(sight, removed);
  }

  #settleRestore(job: Job): void {
    const { live, sources } = this.#options;
    const source = live.current.sources.find(({ id }) => id === job.sourceId);
    const { type } = (job.params['target'] ?? {}) as { type?: string };
    if (source === undefined || type !== 'in-place' || job.params['dryRun'] === true) return;
    if (job.status !== 'succeeded' || job.result === null || job.finishedAt === null) return;
    sources.noteRestore(source, job.result, job.finishedAt);
  }

  #settleImported(job: Job): void {
    const { live, sources } = this.#options;
    const source = live.current.sources.find(({ id }) => id === job.sourceId);
    if (source === undefined || !Array.isArray(job.result?.['checked'])) return;
    if (job.status !== 'succeeded' || job.result === null || job.finishedAt === null) return;
    sources.noteRestore(source, job.result, job.finishedAt);
  }

  #settleApplied({ result, finishedAt }: Job): void {
    const { live, sources } = this.#options;
    const restores = (result?.['restores'] ?? []) as { sourceId: string }[];
    for (const restored of restores) {
      const source = live.current.sources.find(({ id }) => id === restored.sourceId);
      if (source === undefined || finishedAt === null) continue;
      sources.noteRestore(source, { ...restored }, finishedAt);
    }
  }

  #settleBackup(job: Job): void {
    const { live, baselines, sources, triggers } = this.#options;
    const source = live.current.sources.find(({ id }) => id === job.sourceId);
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
    // First what is in memory alone: the snapshot is there, whether that can be noted or not.
    triggers()?.noteSnapshot(source.id, sourceFingerprint, at);
    baselines.put({ sourceId: source.id, sourceFingerprint, snapshotId, at });
  }
}
