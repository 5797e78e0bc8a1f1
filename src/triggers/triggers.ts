import { sourceFingerprint } from '../capture/source-fingerprint.ts';
import type { Settings, SourceSettings } from '../config/settings.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { ignoredPaths } from './ignored-paths.ts';
import { type ChangeStatus, SourceTrigger } from './source-trigger.ts';
import type { Enqueue } from './trigger-request.ts';
import { type WatchDirectories, watchDirectories } from './watch-directories.ts';

/**
 * Changes become jobs. Triggers only enqueue, they never act; they look at files through stat and readdir
 * alone, because they run in the daemon, which never opens a file of an application.
 */
export interface TriggersOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly enqueue: Enqueue;
  /** What each source looked like when it was last captured; as state/baseline-records.ts has it. */
  readonly baselines: { get(sourceId: string): { readonly sourceFingerprint: string } | null };
  /** Holdfast's own paths: changes there are none of the application's. */
  readonly forbiddenPaths: readonly string[];
  /** From stat alone: no file may be opened. @default sourceFingerprint */
  readonly fingerprint?: (
    source: SourceSettings,
    forbiddenPaths: readonly string[],
  ) => Promise<string>;
  /** @default watchDirectories */
  readonly watchDirectories?: WatchDirectories;
}

export interface SourceTriggerStatus extends ChangeStatus {
  readonly sourceId: string;
}

export class Triggers implements Service {
  readonly name = 'triggers';
  readonly #options: TriggersOptions;
  readonly #sources = new Map<string, SourceTrigger>();
  #settings: Settings;
  #isStopped = false;
  /** Starting, and each change of settings after it: one after the other. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: TriggersOptions) {
    this.#options = options;
    this.#settings = options.settings;
    for (const source of options.settings.sources) {
      if (isWatched(source)) this.#sources.set(source.id, this.#sourceTrigger(source));
    }
  }

  /** Resolves when sources are watched; large trees go on in the background. */
  start(): Promise<void> {
    return this.#next(async () => {
      await Promise.all([...this.#sources.values()].map((trigger) => trigger.start()));
    });
  }

  /**
   * From now on these settings hold. What did not change is left alone: a source that goes on as it was loses no
   * pending change. Resolves when the sources are watched.
   */
  apply(settings: Settings): Promise<void> {
    return this.#next(async () => {
      if (this.#isStopped) return;
      const before = this.#settings;
      this.#settings = settings;
      const anew = settings.sources.filter(
        (source) => !isSame(source, sourceOf(before, source.id)),
      );
      const kept = new Set(settings.sources.map(({ id }) => id));
      const gone = before.sources.filter(({ id }) => !kept.has(id));
      await Promise.all([...anew, ...gone].map(({ id }) => this.#unwatch(id)));
      await Promise.all(anew.filter(isWatched).map((source) => this.#watch(source)));
    });
  }

  /** Everything here ends at once, but for one look at a source that may be under way. */
  async stop(_deadlineMs: number): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#sources.values()].map((trigger) => trigger.stop()));
  }

  /** One entry for each source, in the order of the settings. */
  status(): SourceTriggerStatus[] {
    return this.#settings.sources.map((source) => ({
      sourceId: source.id,
      ...this.changeStatus(source.id),
    }));
  }

  /** What is known of the changes of one source. */
  changeStatus(sourceId: string): ChangeStatus {
    return this.#sources.get(sourceId)?.status() ?? NOT_WATCHED;
  }

  /**
   * A full snapshot of the source was taken, whoever asked for it. A source that is not watched, or no longer
   * there, is none of our business.
   * @param fingerprint `sourceFingerprint` of its manifest
   * @param atMs when it was captured, epoch ms
   */
  noteSnapshot(sourceId: string, fingerprint: string, atMs: number): void {
    this.#sources.get(sourceId)?.noteSnapshot(fingerprint, atMs);
  }

  /** A backup with origin `change` failed or was cancelled: it is asked for again, later each time. */
  noteFailure(sourceId: string): void {
    this.#sources.get(sourceId)?.noteFailure();
  }

  #next(work: () => Promise<void>): Promise<void> {
    const next = this.#work.then(work);
    this.#work = next.catch(() => {});
    return next;
  }

  async #unwatch(sourceId: string): Promise<void> {
    const trigger = this.#sources.get(sourceId);
    this.#sources.delete(sourceId);
    await trigger?.stop();
  }

  async #watch(source: SourceSettings): Promise<void> {
    if (this.#isStopped) return;
    const trigger = this.#sourceTrigger(source);
    this.#sources.set(source.id, trigger);
    await trigger.start();
  }

  #sourceTrigger(source: SourceSettings): SourceTrigger {
    const { clock, logger, enqueue, baselines, forbiddenPaths } = this.#options;
    const fingerprint = this.#options.fingerprint ?? sourceFingerprint;
    return new SourceTrigger({
      source,
      clock,
      logger,
      enqueue,
      baseline: () => baselines.get(source.id)?.sourceFingerprint ?? null,
      fingerprint: () => fingerprint(source, forbiddenPaths),
      isIgnored: ignoredPaths(source, forbiddenPaths),
      watchDirectories: this.#options.watchDirectories ?? watchDirectories,
      underWayMsMax: this.#settings.worker.jobDeadlineMs,
    });
  }
}

/** A source that is turned off is neither watched nor on schedule; snapshots by hand go on. */
const isWatched = ({ enabled, watch }: SourceSettings): boolean => enabled && watch.enabled;

const sourceOf = (settings: Settings, sourceId: string): SourceSettings | undefined =>
  settings.sources.find(({ id }) => id === sourceId);

/** As far as changes are looked for: the name, retention and the like may differ. */
function isSame(source: SourceSettings, before: SourceSettings | undefined): boolean {
  const watching = (source: SourceSettings): string => {
    const { enabled, watch, roots, include, exclude, defaultExcludes } = source;
    return JSON.stringify([enabled, watch, roots, include, exclude, defaultExcludes]);
  };
  return before !== undefined && watching(source) === watching(before);
}

const NOT_WATCHED: ChangeStatus = {
  mode: 'off',
  reason: 'watch.enabled is false',
  pendingSince: null,
  lastEventAt: null,
  dueAt: null,
  lastError: null,
};
