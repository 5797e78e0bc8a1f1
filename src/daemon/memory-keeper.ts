import { getHeapSpaceStatistics } from 'node:v8';
import type { JobEvent } from '../jobs/job-events.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';

/** After boot and after a job: long enough for the next of several jobs to begin. */
export const QUIET_MS = 10_000;
/** V8 gives each new process a mebibyte or two for young objects, and lets it grow to sixteen under load. */
const YOUNG_BYTES_MIN = 4 * 1024 * 1024;

export interface MemoryKeeperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Jobs that run or wait. */
  readonly busyCount: () => number;
  /** @default collectGarbage */
  readonly collect?: () => Promise<void>;
  /** @default of this process */
  readonly youngBytes?: () => number;
}

/**
 * Gives back the memory that work has left empty, once all is quiet: left alone, V8 keeps the space for young objects
 * as large as it ever was, for a daemon that then does nothing for a day.
 */
export class MemoryKeeper implements Service {
  readonly name = 'memory';
  readonly #options: MemoryKeeperOptions;
  #timer: Timer | null = null;
  #started = false;

  constructor(options: MemoryKeeperOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#started = true;
    this.#look();
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.#timer?.cancel();
  }

  /** For `JobQueue.onEvent`. */
  receive(event: JobEvent): void {
    if (event.type === 'job.changed' && event.job.finishedAt !== null) this.#look();
  }

  #look(): void {
    if (!this.#started) return;
    this.#timer?.cancel();
    const { clock, logger, busyCount, youngBytes = ownYoungBytes } = this.#options;
    this.#timer = clock.after(
      QUIET_MS,
      () => {
        // The end of what is still under way is another occasion.
        if (busyCount() > 0 || youngBytes() < YOUNG_BYTES_MIN) return;
        const { collect = collectGarbage } = this.#options;
        collect().catch((error: unknown) =>
          logger.warn({ error: messageOf(error) }, 'memory not given back'),
        );
      },
      { unref: true },
    );
  }
}

function ownYoungBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  return space?.space_size ?? 0;
}

/** A full collection that also shrinks: what `global.gc` does, does not. Takes some tens of milliseconds. */
export async function collectGarbage(): Promise<void> {
  const { Session } = await import('node:inspector/promises');
  const session = new Session();
  session.connect();
  try {
    await session.post('HeapProfiler.enable');
    await session.post('HeapProfiler.collectGarbage');
  } finally {
    session.disconnect();
  }
}
