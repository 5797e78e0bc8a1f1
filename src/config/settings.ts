import type { ArtifactSettings, ArtifactsSettings } from './artifact-settings.ts';
import type { HooksSettings, PluginSettings } from './hook-settings.ts';
import type { LogLevel } from './options.ts';
import type { RetentionSettings } from './retention-settings.ts';

/** Validated, absolute, frozen: what the rest of the program may know of its configuration. */

export type RootClass = 'data' | 'config' | 'extra';

export interface RootSettings {
  readonly class: RootClass;
  /** Set for class `extra` only; unique within the source. */
  readonly name: string | null;
  /** Absolute, normalised; symlinks resolved where the path exists. */
  readonly path: string;
  /** A missing required root fails a backup; a missing optional one is a warning. */
  readonly required: boolean;
  /** Patterns relative to `path`; absent or none: everything. */
  readonly include?: readonly string[];
}

export interface WatchSettings {
  readonly enabled: boolean;
  /** No events for this long, then a snapshot. */
  readonly quietMs: number;
  /** At the latest this long after the first change, even if changes go on. */
  readonly maxWaitMs: number;
  /** At least this long between two snapshots made for changes. */
  readonly minGapMs: number;
  /** Slow poll of fingerprints behind the watcher, and the only means where there are no events. */
  readonly pollMs: number;
  /** Never use file system events. */
  readonly usePolling: boolean;
}

export interface ScheduleSettings {
  readonly id: string;
  readonly kind: 'backup' | 'forget' | 'prune' | 'check' | 'verify' | 'drill' | 'publish';
  readonly trigger:
    | { readonly type: 'cron'; readonly expression: string; readonly timeZone: string }
    | { readonly type: 'interval'; readonly intervalMs: number };
  readonly enabled: boolean;
  /** One run for any number of runs missed while down, or none. */
  readonly catchUp: 'one' | 'none';
  /** Each run begins up to this much after its tick; how much depends on the tick alone. */
  readonly jitterMs: number;
  /** A tick while the run before it waits or runs: left out, or one more waits behind it. */
  readonly overlap: 'skip' | 'queue';
}

/** A schedule and what it is for: one source, or, where `sourceId` is null, the repository as a whole. */
export interface ScheduleDefinition extends ScheduleSettings {
  readonly sourceId: string | null;
}

/** What is done about a scheduled run that failed of something that may pass. */
export interface RetrySettings {
  /** Runs in all, the first one included; 1: a failed one is left to the next tick. */
  readonly maxAttempts: number;
  /** Before the second run; doubled before each further one, up to `backoffMaxMs`. */
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
}

export interface RecoverySettings {
  /** What the daemon does with a corrupt database before it is ready. */
  readonly onBoot: 'recover' | 'check' | 'off';
  /** Upper bound of one database's check or repair. */
  readonly deadlineMsPerGigabyte: number;
  /** What may be installed without a person: see recovery/loss-policy.ts. */
  readonly allowPartial: boolean;
  readonly maxLossRows: number | null;
  readonly maxSnapshotAgeMs: number | null;
}

/** A query on one database of every restored snapshot, and what it must give. */
export interface AssertionSettings {
  /** Unique in the source. */
  readonly name: string;
  /** Logical path: `data/app.db`. */
  readonly database: string;
  readonly sql: string;
  /** `rows`, `no-rows`, or the value of the first column of the first row. */
  readonly expect: string | number | null;
}

/** An application's own steps from one version of a database's schema to the next. */
export interface MigrationSettings {
  /** Logical path: `data/app.db`. Unique in the source. */
  readonly database: string;
  /** Absolute. */
  readonly directory: string;
  /** Its first value is the version; null: `PRAGMA user_version`. */
  readonly versionQuery: string | null;
  /** Writes the version, in the transaction of each step; null: the step does, or `user_version` is set. */
  readonly versionStatement: string | null;
  /** Of a database that holds tables and says no version; null: it is refused. */
  readonly assumeVersion: string | null;
}

/** Text for the shell, or a program and its arguments. */
export type CommandSettings = string | readonly string[];

/** Commands around a restore in place. */
export interface ServiceSettings {
  readonly stop: CommandSettings;
  readonly start: CommandSettings;
  /** Exit code 0 where the application runs; null: it is taken for running. */
  readonly status: CommandSettings | null;
  /** When everything is in place, before the start. */
  readonly afterRestore: CommandSettings | null;
  readonly timeoutMs: number;
}

/** A key that the application needs beside its data: snapshots hold its fingerprint. One of `path` and `secret`. */
export interface KeySettings {
  /** Unique in the source. */
  readonly name: string;
  readonly path: string | null;
  /** Name of a secret in the state directory. */
  readonly secret: string | null;
}

export interface SourceSettings {
  /** Immutable; defaults to the name. */
  readonly id: string;
  readonly name: string;
  /** False: neither watched nor on schedule. Snapshots by hand, checks and recovery go on. */
  readonly enabled: boolean;
  readonly roots: readonly RootSettings[];
  /** picomatch patterns against logical paths; none: everything. */
  readonly include: readonly string[];
  /** Whether `DEFAULT_EXCLUDES` hold as well. */
  readonly defaultExcludes: boolean;
  /** picomatch patterns against logical paths (`data/cache/**`). */
  readonly exclude: readonly string[];
  /** Larger files are left out, but never a database; null: no bound. */
  readonly maxFileBytes: number | null;
  /** Logs whose lines are counted, as patterns of logical paths. */
  readonly countLines: readonly string[];
  /** What becomes of a backup that meets files that it cannot read. */
  readonly unreadable: 'warn' | 'fail';
  /** Of every snapshot that a backup takes. */
  readonly tags: readonly string[];
  readonly keys: readonly KeySettings[];
  readonly databases: {
    /** Depth below a data root at which boot checks and recovery look for databases; 0 is its top level. */
    readonly depth: number;
    readonly check: 'quick' | 'full';
    /** All of a database is read at least this often, whatever its log proves; 0: every time. */
    readonly fullScanEveryMs: number;
    /** How far a log may grow while its database is read; 0: without bound; null: by the size of the database. */
    readonly maxLogGrowthBytes: number | null;
    /** Patterns of databases that may come and go. */
    readonly optional: readonly string[];
  };
  readonly watch: WatchSettings;
  readonly schedules: readonly ScheduleSettings[];
  readonly retry: RetrySettings;
  /** Null: every snapshot stays. */
  readonly retention: RetentionSettings | null;
  readonly recovery: RecoverySettings;
  readonly service: ServiceSettings | null;
  readonly hooks: HooksSettings;
  readonly plugins: readonly PluginSettings[];
  readonly assertions: readonly AssertionSettings[];
  readonly artifacts: readonly ArtifactSettings[];
  readonly migrations: readonly MigrationSettings[];
}

/** How long is kept what a restore or a repair replaced; null: without bound. */
export interface QuarantineSettings {
  readonly maxCount: number | null;
  readonly maxAgeMs: number | null;
  /** The least that must be free where the state directory lies. */
  readonly minFreeBytes: number;
}

/** Where the key of an encrypted repository is; one of them is not null. */
export interface RepositoryKeySettings {
  readonly keyFile: string | null;
  readonly passphraseFile: string | null;
  /** Name of a secret. */
  readonly secret: string | null;
}

export interface Settings {
  readonly stateDirectory: string;
  readonly repositoryDirectory: string;
  /** Null: the repository is not encrypted. */
  readonly repositoryKey: RepositoryKeySettings | null;
  readonly socketPath: string;
  /** Group name or id that may use the socket (0660); null: the owner alone (0600). */
  readonly socketGroup: string | null;
  readonly logLevel: LogLevel;
  readonly codec: 'auto' | 'brotli' | 'zstd' | 'none';
  readonly verifyWrites: 'sample' | 'all';
  /** For sources that say nothing of their own; null: every snapshot stays. */
  readonly retention: RetentionSettings | null;
  readonly quarantine: QuarantineSettings;
  readonly prune: {
    readonly graceMs: number;
    /** 0 to 1. */
    readonly unusedShare: number;
  };
  /** Of the repository as a whole. */
  readonly schedules: readonly ScheduleSettings[];
  /** For sources that say nothing of their own. */
  readonly hooks: HooksSettings;
  /** What text commands of hooks and plugins go to. */
  readonly hookShell: string;
  /** What is remembered of finished jobs. */
  readonly jobs: {
    readonly keptCount: number;
    readonly logBytesMax: number;
  };
  /** Of the repository, for each job; 0: without bound. */
  readonly bandwidth: {
    readonly readBytesPerSecond: number;
    readonly writeBytesPerSecond: number;
  };
  readonly artifacts: ArtifactsSettings;
  readonly worker: {
    readonly memoryBytesMax: number;
    readonly jobDeadlineMs: number;
    /** As of `nice`, 0 to 19, for work that nobody waits for. */
    readonly niceness: number;
    readonly diskPriority: 'derived' | 'idle';
  };
  readonly sources: readonly SourceSettings[];
}
