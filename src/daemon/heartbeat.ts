import type { DaemonEvent } from '../api/event-hub.ts';
import { type Clock, isoTime, type Timer } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import type { DaemonStatus } from '../protocol/method-map.ts';
import type { FlagRecords } from '../state/flag-records.ts';

export const HEARTBEAT_MS = 30_000;
const FLAG = 'heartbeat';

/** The sign of life: to subscribers, and in state.db, so that the next start knows when this run ended. */
export class Heartbeat implements Service {
  readonly name = 'heartbeat';
  readonly #flags: FlagRecords;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #publish: (event: DaemonEvent) => void;
  #timer: Timer | null = null;
  /** How the run before this one ended; null for the first. */
  readonly previousRun: DaemonStatus['previousRun'];

  constructor(
    flags: FlagRecords,
    { clock, logger, publish }: { clock: Clock; logger: Logger; publish(event: DaemonEvent): void },
  ) {
    this.#flags = flags;
    this.#clock = clock;
    this.#logger = logger;
    this.#publish = publish;
    const last = flags.get(FLAG) as { at: number; clean: boolean } | undefined;
    this.previousRun =
      last === undefined ? null : { lastSeenAt: isoTime(last.at), clean: last.clean };
  }

  async start(): Promise<void> {
    this.#beat();
  }

  async stop(): Promise<void> {
    if (this.#timer === null) return;
    this.#timer.cancel();
    this.#timer = null;
    this.#note(true);
  }

  #beat(): void {
    this.#timer = this.#clock.after(HEARTBEAT_MS, () => this.#beat(), { unref: true });
    this.#note(false);
    this.#publish({ type: 'daemon.heartbeat', at: isoTime(this.#clock.nowMs()) });
  }

  #note(clean: boolean): void {
    try {
      this.#flags.set(FLAG, { at: Math.round(this.#clock.nowMs()), clean });
    } catch (error) {
      // A full disk must not end the daemon; readiness tells of it.
      this.#logger.warn({ error: messageOf(error) }, 'heartbeat not noted');
    }
  }
}
