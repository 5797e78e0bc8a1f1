import type { LiveSettings } from '../config/live-settings.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import type { StatusWarning } from '../protocol/method-map.ts';
import { listPending, type PendingRestore } from '../restore/pending-restore.ts';
import { findDatabaseUsers } from '../sqlite/database-users.ts';

/** Looks this often whether the target of a staged restore is free; it opens none. */
const LOOK_MS = 30_000;

export interface StagedRestoresOptions {
  readonly live: LiveSettings;
  readonly queue: Pick<JobQueue, 'submit'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Has staged restores put in place when their target becomes free, where they were staged for that. */
export class StagedRestores implements Service {
  readonly name = 'staged restores';
  readonly #options: StagedRestoresOptions;
  #pending: readonly PendingRestore[] = [];
  #timer: Timer | null = null;
  #work: Promise<void> = Promise.resolve();

  constructor(options: StagedRestoresOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#timer = this.#options.clock.after(LOOK_MS, () => void this.start(), { unref: true });
    this.#work = this.#look();
    await this.#work;
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#work;
  }

  /** As of the last look. */
  warnings(): StatusWarning[] {
    return this.#pending
      .filter(({ state }) => state === 'failed')
      .map(({ id, sourceId, attempts, lastError }) => ({
        code: 'STAGED_RESTORE_FAILED',
        message: `A staged restore failed after ${attempts} attempts, and the old state is in place: ${lastError?.message ?? 'interrupted'}. Apply or cancel it: holdfast restore apply ${id}`,
        sourceId,
      }));
  }

  async #look(): Promise<void> {
    const { live, logger } = this.#options;
    try {
      this.#pending = await listPending(live.current.stateDirectory);
      for (const pending of this.#pending) {
        const waits = pending.applyWhen === 'free' && pending.state === 'staged';
        if (waits && (await isFree(pending))) this.#apply(pending);
      }
    } catch (error) {
      logger.warn({ error: messageOf(error) }, 'staged restores cannot be looked at');
    }
  }

  #apply({ id }: PendingRestore): void {
    const { queue, live } = this.#options;
    queue.submit({
      kind: 'apply',
      sourceId: null,
      params: { id, automatic: true },
      actor: 'boot',
      mutating: true,
      deadlineMs: live.current.worker.jobDeadlineMs,
    });
  }
}

async function isFree({ items }: PendingRestore): Promise<boolean> {
  for (const { target, type } of items) {
    if (type === 'database' && (await findDatabaseUsers(target)).length > 0) return false;
  }
  return true;
}
