import type { SourceSettings } from '../config/settings.ts';
import { type Clock, isoTime, type Timer } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { ChangeDebouncer } from './change-debouncer.ts';
import { FingerprintReader, SlowPoll } from './change-detector.ts';
import { SourceWatcher } from './source-watcher.ts';
import type { Enqueue } from './trigger-request.ts';
import type { WatchDirectories } from './watch-directories.ts';

export interface SourceTriggerOptions {
  readonly source: SourceSettings;
  /** Of the newest snapshot before the start; null if there is none. */
  readonly baseline: () => string | null;
  readonly fingerprint: () => Promise<string>;
  readonly isIgnored: (path: string) => boolean;
  readonly watchDirectories: WatchDirectories;
  readonly underWayMsMax: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly enqueue: Enqueue;
}

export interface ChangeStatus {
  readonly mode: 'off' | 'events' | 'polling';
  /** Why changes are found by polling alone, or not at all; null if events are complete. */
  readonly reason: string | null;
  /** The first change that no snapshot has yet; ISO 8601. */
  readonly pendingSince: string | null;
  readonly lastEventAt: string | null;
  /** When a snapshot for the pending changes is due; null while one is under way or nothing changed. */
  readonly dueAt: string | null;
  /** Why the source could not be looked at or the snapshot not be asked for, the last time; null if it could. */
  readonly lastError: string | null;
}

/**
 * Changes of one source become requests for snapshots. Events and the slow poll only say that something may have
 * changed; a snapshot is asked for when the fingerprint differs from that of the newest one.
 */
export class SourceTrigger {
  readonly #options: SourceTriggerOptions;
  readonly #debouncer: ChangeDebouncer;
  readonly #watcher: SourceWatcher;
  readonly #reader: FingerprintReader;
  readonly #poll: SlowPoll;
  /** Fingerprints of states that a snapshot holds. */
  #captured: ReadonlySet<string> = new Set();
  /** What the source looked like when the snapshot under way was asked for. */
  #asked: { readonly fingerprint: string; readonly atMs: number } | null = null;
  #lastSeen: string | null = null;
  #pendingSinceMs: number | null = null;
  #lastEventAtMs: number | null = null;
  #lastError: string | null = null;
  #timer: Timer | null = null;
  #acting: Promise<void> | null = null;
  #isStopped = false;

  constructor(options: SourceTriggerOptions) {
    const { source, clock, underWayMsMax } = options;
    this.#options = options;
    this.#debouncer = new ChangeDebouncer({ ...source.watch, underWayMsMax });
    this.#reader = new FingerprintReader(options.fingerprint);
    this.#watcher = new SourceWatcher({
      roots: source.roots.map(({ path }) => path),
      usePolling: source.watch.usePolling,
      isIgnored: options.isIgnored,
      onChange: () => this.#noteChange(),
      watchDirectories: options.watchDirectories,
      clock,
    });
    this.#poll = new SlowPoll(clock, source.watch.pollMs, () => this.#look());
  }

  /**
   * Watches, then looks once: what changed while nobody watched is noticed. A source that was never captured is
   * asked for at once: until then nothing protects it, and an application that writes without pause would make
   * it wait for longest.
   */
  async start(): Promise<void> {
    const baseline = this.#options.baseline();
    if (baseline !== null && this.#captured.size === 0) this.#captured = new Set([baseline]);
    await this.#watcher.arm();
    if (!this.#isStopped) this.#poll.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#watcher.close();
    await this.#poll.stop();
    await this.#acting;
    await this.#reader.idle();
  }

  status(): ChangeStatus {
    const { clock } = this.#options;
    const dueAtMs = this.#debouncer.dueAtMs();
    const isWaiting = dueAtMs !== null && !this.#debouncer.isUnderWay(clock.monotonicMs());
    return {
      ...this.#watcher.state,
      pendingSince: isoOrNull(this.#pendingSinceMs),
      lastEventAt: isoOrNull(this.#lastEventAtMs),
      dueAt: isWaiting ? isoTime(clock.nowMs() + dueAtMs - clock.monotonicMs()) : null,
      lastError: this.#lastError,
    };
  }

  /** A full snapshot, captured at `atMs` (wall clock), holds the state with this fingerprint. */
  noteSnapshot(fingerprint: string, atMs: number): void {
    const captured = [fingerprint];
    // Captured after it was asked for, it holds that state as well, or a later one, whose changes are events anew.
    if (this.#asked !== null && atMs >= this.#asked.atMs) captured.push(this.#asked.fingerprint);
    this.#captured = new Set(captured);
    this.#asked = null;
    this.#debouncer.noteSuccess();
    if (this.#debouncer.dueAtMs() === null) this.#pendingSinceMs = null;
    this.#schedule();
  }

  /** The snapshot asked for did not come about. */
  noteFailure(): void {
    if (this.#asked === null) return;
    this.#pendingSinceMs ??= this.#asked.atMs;
    this.#asked = null;
    this.#debouncer.noteFailure(this.#options.clock.monotonicMs());
    this.#schedule();
  }

  #noteChange(): void {
    if (this.#isStopped) return;
    const { clock } = this.#options;
    this.#lastEventAtMs = clock.nowMs();
    this.#pendingSinceMs ??= this.#lastEventAtMs;
    const wasPending = this.#debouncer.dueAtMs() !== null;
    this.#debouncer.noteChange(clock.monotonicMs());
    // A later change only moves the moment back: the timer that is set finds that out.
    if (!wasPending || this.#timer === null) this.#schedule();
  }

  /** One look of the slow poll. */
  async #look(): Promise<void> {
    await this.#watcher.verify();
    const fingerprint = await this.#fingerprint();
    if (fingerprint === null || this.#captured.has(fingerprint)) return;
    const isNew = fingerprint !== this.#lastSeen;
    this.#lastSeen = fingerprint;
    const isHandled =
      this.#debouncer.dueAtMs() !== null ||
      this.#debouncer.isUnderWay(this.#options.clock.monotonicMs());
    if (!isNew && isHandled) return;
    this.#noteChange();
    if (this.#captured.size > 0) return;
    this.#debouncer.noteOverdue(this.#options.clock.monotonicMs());
    this.#schedule();
  }

  /** Null where the source cannot be looked at; the reason is in the status, and logged when it is a new one. */
  async #fingerprint(): Promise<string | null> {
    try {
      const fingerprint = await this.#reader.read();
      this.#lastError = null;
      return fingerprint;
    } catch (error) {
      this.#complain('cannot look for changes', error);
      return null;
    }
  }

  #complain(message: string, error: unknown): void {
    const { source, logger } = this.#options;
    const reason = messageOf(error);
    if (reason !== this.#lastError) logger.warn({ sourceId: source.id, reason }, message);
    this.#lastError = reason;
  }

  /** Sets the timer to the moment a snapshot is due. */
  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const dueAtMs = this.#debouncer.dueAtMs();
    if (dueAtMs === null || this.#isStopped || this.#acting !== null) return;
    const { clock } = this.#options;
    this.#timer = clock.after(
      Math.max(0, dueAtMs - clock.monotonicMs()),
      () => {
        this.#timer = null;
        if (this.#debouncer.take(clock.monotonicMs())) this.#act();
        else this.#schedule();
      },
      { unref: true },
    );
  }

  #act(): void {
    this.#acting = this.#ask().finally(() => {
      this.#acting = null;
      this.#schedule();
    });
  }

  /** Asks for a snapshot of the changes just taken, unless there is one of this very state. */
  async #ask(): Promise<void> {
    const { source, clock, enqueue } = this.#options;
    const fingerprint = await this.#fingerprint();
    if (this.#isStopped) return;
    if (fingerprint === null) {
      this.#debouncer.noteFailure(clock.monotonicMs());
      return;
    }
    this.#lastSeen = fingerprint;
    if (this.#captured.has(fingerprint)) {
      this.#debouncer.dismiss();
      if (this.#debouncer.dueAtMs() === null) this.#pendingSinceMs = null;
      return;
    }
    this.#debouncer.begin(clock.monotonicMs());
    this.#asked = { fingerprint, atMs: clock.nowMs() };
    try {
      await enqueue({
        kind: 'backup',
        sourceId: source.id,
        params: { sourceId: source.id, type: 'full', origin: 'change', reason: 'files changed' },
        actor: 'change',
        idempotencyKey: null,
      });
      // Until it ends, what is pending is what changed after this moment.
      if (this.#debouncer.dueAtMs() === null) this.#pendingSinceMs = null;
    } catch (error) {
      this.#complain('cannot ask for a snapshot', error);
      this.noteFailure();
    }
  }
}

function isoOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : isoTime(timeMs);
}
