import type { LogLevel } from './options.ts';

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
  readonly kind: 'backup' | 'check' | 'verify' | 'drill';
  readonly trigger:
    | { readonly type: 'cron'; readonly expression: string; readonly timeZone: string }
    | { readonly type: 'interval'; readonly intervalMs: number };
  readonly enabled: boolean;
  /** One run for any number of runs missed while down, or none. */
  readonly catchUp: 'one' | 'none';
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

export interface SourceSettings {
  /** Immutable; defaults to the name. */
  readonly id: string;
  readonly name: string;
  readonly roots: readonly RootSettings[];
  /** picomatch patterns against logical paths (`data/cache/**`). */
  readonly exclude: readonly string[];
  readonly databases: {
    /** Depth below a data root at which boot checks and recovery look for databases; 0 is its top level. */
    readonly depth: number;
    readonly check: 'quick' | 'full';
  };
  readonly watch: WatchSettings;
  readonly schedules: readonly ScheduleSettings[];
  readonly recovery: RecoverySettings;
  readonly assertions: readonly AssertionSettings[];
}

/** How long is kept what a restore or a repair replaced; null: without bound. */
export interface QuarantineSettings {
  readonly maxCount: number | null;
  readonly maxAgeMs: number | null;
  /** The least that must be free where the state directory lies. */
  readonly minFreeBytes: number;
}

export interface Settings {
  readonly stateDirectory: string;
  readonly repositoryDirectory: string;
  readonly socketPath: string;
  /** Group name or id that may use the socket (0660); null: the owner alone (0600). */
  readonly socketGroup: string | null;
  readonly logLevel: LogLevel;
  readonly codec: 'auto' | 'brotli' | 'zstd' | 'none';
  readonly verifyWrites: 'sample' | 'all';
  readonly quarantine: QuarantineSettings;
  readonly worker: {
    readonly memoryBytesMax: number;
    readonly jobDeadlineMs: number;
  };
  readonly sources: readonly SourceSettings[];
}
