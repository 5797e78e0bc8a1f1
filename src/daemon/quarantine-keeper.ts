import type { LiveSettings } from '../config/live-settings.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { tidyQuarantine } from '../recovery/tidy-quarantine.ts';

const DAY_MS = 86_400_000;

/** Keeps the quarantine within its bounds: when boot is done, and every day. */
export class QuarantineKeeper implements Service {
  readonly name = 'quarantine keeper';
  readonly #live: LiveSettings;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #timer: Timer | null = null;
  #work: Promise<void> = Promise.resolve();

  constructor({ live, clock, logger }: { live: LiveSettings; clock: Clock; logger: Logger }) {
    this.#live = live;
    this.#clock = clock;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    this.#timer = this.#clock.after(DAY_MS, () => void this.start(), { unref: true });
    this.#work = this.#tidy();
    await this.#work;
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#work;
  }

  /** What fails is tried again the next day: nothing depends on it. */
  async #tidy(): Promise<void> {
    const { stateDirectory, quarantine } = this.#live.current;
    try {
      const purged = await tidyQuarantine(stateDirectory, quarantine, this.#clock);
      if (purged.length > 0) this.#logger.info({ purged }, 'quarantine tidied');
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, 'quarantine cannot be tidied');
    }
  }
}
