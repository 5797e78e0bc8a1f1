import { stat } from 'node:fs/promises';
import { type Clock, sleep } from '../kernel/clock.ts';
import { messageOf, systemCode } from '../kernel/errors.ts';
import { eventlessReason } from './file-system-events.ts';
import type { DirectoryWatch, WatchDirectories } from './watch-directories.ts';

export interface WatchState {
  /** `events`: changes are reported as they happen; `polling`: they are found by the slow poll alone. */
  readonly mode: 'events' | 'polling';
  /** Why there are no events, or not of everything; null if there are. */
  readonly reason: string | null;
}

export interface SourceWatcherOptions {
  readonly roots: readonly string[];
  readonly usePolling: boolean;
  readonly isIgnored: (path: string) => boolean;
  readonly onChange: () => void;
  readonly watchDirectories: WatchDirectories;
  readonly clock: Clock;
}

/** How long the start waits for a large tree; it goes on in the background. */
const READY_WAIT_MS = 10_000;
/** After a failure, events are tried again this much later. */
const RETRY_MS = 10 * 60_000;

const EXHAUSTED: Record<string, string> = {
  ENOSPC: 'no watches are left (fs.inotify.max_user_watches)',
  EMFILE: 'no watch instances or descriptors are left (fs.inotify.max_user_instances)',
};

/**
 * Tells that something changed in a source, by events where the kernel has them. It says so when it cannot, and
 * heals: call `verify()` now and then, and roots that came, went or were replaced are watched anew.
 */
export class SourceWatcher {
  readonly #options: SourceWatcherOptions;
  #watch: DirectoryWatch | null = null;
  /** Counts watches, so that what an old one still reports is told from the news of the present one. */
  #generation = 0;
  #identities = new Map<string, string | null>();
  #state: WatchState = { mode: 'polling', reason: 'not started' };
  #retryAtMs: number | null = null;
  #isClosed = false;

  constructor(options: SourceWatcherOptions) {
    this.#options = options;
  }

  get state(): WatchState {
    return this.#state;
  }

  /** Starts watching what there is, anew if it was watched before. Never fails: it falls back to polling. */
  async arm(): Promise<void> {
    await this.#release();
    const { roots, usePolling } = this.#options;
    this.#retryAtMs = null;
    this.#identities = await identitiesOf(roots);
    if (usePolling) {
      this.#state = { mode: 'polling', reason: 'watch.usePolling is set' };
      return;
    }
    const present = roots.filter((root) => this.#identities.get(root) !== null);
    const missing = roots.filter((root) => this.#identities.get(root) === null);
    const eventless = await firstReason(present);
    if (present.length === 0 || eventless !== null) {
      this.#state = { mode: 'polling', reason: eventless ?? missingReason(missing) };
      return;
    }
    if (this.#isClosed) return;
    this.#state = { mode: 'events', reason: missingReason(missing) };
    await this.#watchPresent(present);
  }

  async #watchPresent(roots: readonly string[]): Promise<void> {
    const { watchDirectories, isIgnored, onChange, clock } = this.#options;
    const generation = this.#generation;
    try {
      this.#watch = watchDirectories({
        roots,
        isIgnored,
        onChange: () => {
          if (this.#generation === generation) onChange();
        },
        onError: (error) => {
          if (this.#generation === generation) this.#fallBack(error);
        },
      });
      const waited = new AbortController();
      const patience = sleep(clock, READY_WAIT_MS, waited.signal).catch(() => {});
      await Promise.race([this.#watch.ready, patience]);
      waited.abort();
    } catch (error) {
      this.#fallBack(error);
    }
  }

  /** Compares the roots with those that are watched, and watches anew where they differ or a retry is due. */
  async verify(): Promise<void> {
    if (this.#isClosed) return;
    const { roots, clock } = this.#options;
    const now = await identitiesOf(roots);
    const isMoved = roots.some((root) => now.get(root) !== this.#identities.get(root));
    const isRetry = this.#retryAtMs !== null && clock.monotonicMs() >= this.#retryAtMs;
    if (isMoved || isRetry) await this.arm();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#release();
  }

  #fallBack(error: unknown): void {
    const exhausted = EXHAUSTED[systemCode(error) ?? ''];
    this.#state = { mode: 'polling', reason: exhausted ?? `watching failed: ${messageOf(error)}` };
    this.#retryAtMs = this.#options.clock.monotonicMs() + RETRY_MS;
    // Half a watch is worse than none: it would pass for a whole one. Closing cannot fail in a way that matters.
    void this.#release();
    // What happened since the failure may have gone unseen.
    this.#options.onChange();
  }

  async #release(): Promise<void> {
    const watch = this.#watch;
    this.#watch = null;
    this.#generation += 1;
    await watch?.close();
  }
}

/** Device and inode of each root; null where it is missing or no directory. */
async function identitiesOf(roots: readonly string[]): Promise<Map<string, string | null>> {
  const identities = new Map<string, string | null>();
  for (const root of roots) {
    const status = await stat(root, { bigint: true }).catch(() => null);
    const isDirectory = status?.isDirectory() === true;
    identities.set(root, isDirectory ? `${status!.dev}:${status!.ino}` : null);
  }
  return identities;
}

async function firstReason(roots: readonly string[]): Promise<string | null> {
  for (const root of roots) {
    const reason = await eventlessReason(root).catch((error) => messageOf(error));
    if (reason !== null) return reason;
  }
  return null;
}

function missingReason(missing: readonly string[]): string | null {
  return missing.length === 0 ? null : `missing: ${missing.map((root) => `"${root}"`).join(', ')}`;
}
