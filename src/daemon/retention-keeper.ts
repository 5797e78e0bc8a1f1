import type { LiveSettings } from '../config/live-settings.ts';
import type { Job } from '../jobs/job.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { Clock } from '../kernel/clock.ts';
import { HoldfastError, messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { planSource, readGuards } from '../retention/source-plan.ts';
import { isRegular } from '../store/manifests/manifest.ts';
import type { StoreReader } from '../store/store.ts';

export interface RetentionKeeperOptions {
  readonly live: LiveSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly queue: Pick<JobQueue, 'submit'>;
  openReader(): Promise<StoreReader>;
}

/** Asks for a forget job at the start and when a good snapshot was taken, where the policy of the source lets any go. */
export class RetentionKeeper {
  readonly #options: RetentionKeeperOptions;

  constructor(options: RetentionKeeperOptions) {
    this.#options = options;
  }

  /** What a policy that was changed meanwhile lets go; nothing of a source whose newest snapshot is bad. */
  async atStart(): Promise<void> {
    for (const { id } of this.#options.live.current.sources) await this.#ask(id, 'boot');
  }

  afterGoodBackup(sourceId: string, actor: Job['actor']): Promise<void> {
    return this.#ask(sourceId, actor);
  }

  /** Never fails: what could not be asked for now is asked for after the next snapshot. */
  async #ask(sourceId: string, actor: Job['actor']): Promise<void> {
    const { live, queue, logger } = this.#options;
    try {
      if (!(await this.#hasAnythingToRemove(sourceId))) return;
      queue.submit({
        kind: 'forget',
        sourceId,
        params: { sources: [sourceId] },
        actor,
        mutating: true,
        deadlineMs: live.current.worker.jobDeadlineMs,
      });
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'REPO_UNINITIALISED') return;
      logger.warn(
        { sourceId, reason: messageOf(error) },
        'cannot ask for the removal of snapshots',
      );
    }
  }

  async #hasAnythingToRemove(sourceId: string): Promise<boolean> {
    const { live, clock, openReader } = this.#options;
    const policy = live.current.sources.find(({ id }) => id === sourceId)?.retention ?? null;
    if (policy === null) return false;
    const reader = await openReader();
    const snapshots = reader.listSnapshots({ sourceId });
    if (snapshots.find((summary) => isRegular(summary))?.good !== true) return false;
    const nowMs = clock.nowMs();
    const guards = await readGuards(live.current, sourceId, clock);
    const { remove } = await planSource({ snapshots, policy, guards, nowMs }, reader);
    return remove.length > 0;
  }
}
