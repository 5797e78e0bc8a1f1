import type { Settings } from '../config/settings.ts';
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
import type { RepositoryStatistics, StoreReader } from '../store/store.ts';
import type { EventHub } from './event-hub.ts';

export type { SourceFacts };

export interface BootStatus {
  readonly ready: boolean;
  readonly phase: BootPhase;
  readonly progress: DaemonStatus['bootProgress'];
}

/**
 * What handlers use of the daemon. Everything that is no promise answers from memory or with a tiny query, so that
 * `daemon.status` never waits.
 */
export interface ApiContext {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly version: string;
  /** Wall clock and monotonic, when the daemon started. */
  readonly startedAtMs: number;
  readonly startedMonotonicMs: number;
  readonly jobs: Pick<JobQueue, 'submit' | 'get' | 'list' | 'logs' | 'wait' | 'cancel' | 'counts'>;
  readonly health: Pick<HealthMonitor, 'live' | 'ready' | 'report'>;
  readonly events: EventHub;
  /** The reader that the daemon keeps; handlers do not close it. @throws REPO_UNINITIALISED */
  openReader(): Promise<StoreReader>;
  boot(): BootStatus;
  sourceFacts(sourceId: string): SourceFacts;
  /** In any order. */
  schedules(): readonly ScheduleState[];
  /** As last measured; null until then, and without a repository. */
  repositoryStatistics(): RepositoryStatistics | null;
  lastRecovery(): DaemonStatus['lastRecovery'];
  warnings(): readonly StatusWarning[];
  /** Returns at once; the daemon stops after the answer was sent. */
  requestShutdown(): void;
}
