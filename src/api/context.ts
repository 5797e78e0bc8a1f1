import type { SetAsideChange } from '../config/resolve-changed-settings.ts';
import type { Settings } from '../config/settings.ts';
import type { BaseDocument, SettingsChanges } from '../config/settings-changes.ts';
import type { AlertBook } from '../health/alert-book.ts';
import type { HealthMonitor } from '../health/health-monitor.ts';
import type { JobQueue } from '../jobs/job-queue.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type {
  BootPhase,
  DaemonStatus,
  ScheduleState,
  SourceFacts,
  StatusWarning,
} from '../protocol/method-map.ts';
import type { AuditRecords } from '../state/audit-records.ts';
import type { SecretStore } from '../state/secret-store.ts';
import type { RepositoryStatistics, StoreReader } from '../store/store.ts';
import type { RetryKeeper } from '../triggers/retry-keeper.ts';
import type { ScheduleSet } from '../triggers/schedule-set.ts';
import type { EventHub } from './event-hub.ts';

export type { SourceFacts };

export interface BootStatus {
  readonly ready: boolean;
  readonly phase: BootPhase;
  readonly progress: DaemonStatus['bootProgress'];
}

/** How settings are changed: daemon/settings-keeper.ts. */
export interface SettingsControl {
  /** In force just now: after a change, not the settings that the call came with. */
  readonly current: Settings;
  /** Of the changes; 0: none was ever made. */
  readonly version: number;
  /** Changes of before the start that do not fit the configuration any more. */
  readonly setAside: readonly SetAsideChange[];
  hasChangeOf(sourceId: string): boolean;
  /** Where each value comes from that is no default, by its path. */
  origins(): Record<string, string>;
  /**
   * Validated as a whole, durable, then in force. Resolves with the version.
   * @throws VERSION_CONFLICT, CONFIG_INVALID, INVALID_CRON, whatever `edit` throws
   */
  change(
    expectVersion: number | undefined,
    edit: (changes: SettingsChanges, base: BaseDocument) => SettingsChanges,
  ): Promise<number>;
}

/**
 * What handlers use of the daemon. Everything that is no promise answers from memory or with a tiny query, so that
 * `daemon.status` never waits.
 */
export interface ApiContext {
  /** In force when the call came. */
  readonly settings: Settings;
  readonly configuration: SettingsControl;
  readonly secrets: Pick<SecretStore, 'set' | 'clear' | 'list'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
  /** Wall clock and monotonic, when the daemon started. */
  readonly startedAtMs: number;
  readonly startedMonotonicMs: number;
  readonly jobs: Pick<
    JobQueue,
    'submit' | 'get' | 'list' | 'logs' | 'wait' | 'cancel' | 'counts' | 'statistics'
  >;
  readonly health: Pick<HealthMonitor, 'live' | 'ready' | 'report'>;
  readonly events: EventHub;
  readonly alerts: Pick<AlertBook, 'list' | 'counts' | 'acknowledge' | 'resolve'>;
  readonly audit: Pick<AuditRecords, 'begin' | 'finish' | 'list'>;
  /** The reader that the daemon keeps; handlers do not close it. @throws REPO_UNINITIALISED */
  openReader(): Promise<StoreReader>;
  boot(): BootStatus;
  sourceFacts(sourceId: string): SourceFacts;
  /** In any order. */
  schedules(): readonly ScheduleState[];
  readonly scheduleSet: Pick<
    ScheduleSet,
    'acknowledgement' | 'replace' | 'add' | 'update' | 'remove' | 'reset' | 'setPaused'
  >;
  readonly retries: Pick<RetryKeeper, 'list' | 'drop'>;
  /** As last measured; null until then, and without a repository. */
  repositoryStatistics(): RepositoryStatistics | null;
  lastRecovery(): DaemonStatus['lastRecovery'];
  readonly previousRun: DaemonStatus['previousRun'];
  warnings(): readonly StatusWarning[];
  /** Returns at once; the daemon stops after the answer was sent. */
  requestShutdown(): void;
  /** As above, with the exit code that asks the supervisor for a new start. */
  requestRestart(): void;
}
