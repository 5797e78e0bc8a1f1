import { sourceFingerprint } from '../capture/source-fingerprint.ts';
import type { Settings, SourceSettings } from '../config/settings.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { ignoredPaths } from './ignored-paths.ts';
import { type DueStatus, Scheduler, type ScheduleStore } from './scheduler.ts';
import { type ChangeStatus, SourceTrigger } from './source-trigger.ts';
import type { Enqueue } from './trigger-request.ts';
import { type WatchDirectories, watchDirectories } from './watch-directories.ts';

/**
 * Changes and times become jobs. Triggers only enqueue, they never act; they look at files through stat and readdir
 * alone, because they run in the daemon, which never opens a file of an application.
 */
export interface TriggersOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly enqueue: Enqueue;
  /** What each source looked like when it was last captured; as state/baseline-records.ts has it. */
  readonly baselines: { get(sourceId: string): { readonly sourceFingerprint: string } | null };
  /** As state/schedule-records.ts has it. */
  readonly schedules: ScheduleStore;
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
  readonly schedules: readonly DueStatus[];
}

export class Triggers implements Service {
  readonly name = 'triggers';
  readonly #options: TriggersOptions;
  readonly #scheduler: Scheduler;
  readonly #sources = new Map<string, SourceTrigger>();

  constructor(options: TriggersOptions) {
    this.#options = options;
    const { settings, schedules: store, clock, logger, enqueue } = options;
    this.#scheduler = new Scheduler({ sources: settings.sources, store, clock, logger, enqueue });
    for (const source of settings.sources) {
      if (source.watch.enabled) this.#sources.set(source.id, this.#sourceTrigger(source));
    }
  }

  /** Resolves when sources are watched (large trees go on in the background) and missed runs were asked for. */
  async start(): Promise<void> {
    await this.#scheduler.start();
    await Promise.all([...this.#sources.values()].map((trigger) => trigger.start()));
  }

  /** Everything here ends at once, but for one look at a source that may be under way. */
  async stop(_deadlineMs: number): Promise<void> {
    await this.#scheduler.stop();
    await Promise.all([...this.#sources.values()].map((trigger) => trigger.stop()));
  }

  /** One entry for each source, in the order of the settings. */
  status(): SourceTriggerStatus[] {
    return this.#options.settings.sources.map((source) => ({
      sourceId: source.id,
      ...this.changeStatus(source.id),
      schedules: this.#scheduler.due(source),
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

  #sourceTrigger(source: SourceSettings): SourceTrigger {
    const { settings, clock, logger, enqueue, baselines, forbiddenPaths } = this.#options;
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
      underWayMsMax: settings.worker.jobDeadlineMs,
    });
  }
}

const NOT_WATCHED: ChangeStatus = {
  mode: 'off',
  reason: 'watch.enabled is false',
  pendingSince: null,
  lastEventAt: null,
  dueAt: null,
  lastError: null,
};
