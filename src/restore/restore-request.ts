import type { RootSettings } from '../config/settings.ts';
import type { RootClass } from '../store/manifests/manifest.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';

/** Where a restore writes. */
export type RestoreTarget =
  /** Laid out as `<path>/<root prefix>/<path in it>`. Absolute; made if missing. */
  | {
      readonly type: 'directory';
      readonly path: string;
      /** Without it, a directory that holds anything is refused. */
      readonly allowNonEmpty?: boolean;
    }
  /** Every root of the snapshot goes to the root of the same class and name. */
  | { readonly type: 'in-place'; readonly roots: readonly RootSettings[] };

/**
 * What happens to something that stands where the snapshot has something else:
 * - `always`: replaced, unless content, mode and (as root) owner are the same
 * - `if-changed`: the same, but equal size and time are taken for equal content
 * - `if-newer`: replaced where the snapshot's copy is newer
 * - `never`: kept. In a target directory this is refused before anything is written; in place it is skipped.
 * Whatever the snapshot does not hold is left alone, unless the restore is a mirror.
 */
export type OverwritePolicy = 'always' | 'if-changed' | 'if-newer' | 'never';

export interface RestoreRequest {
  /** Full id. */
  readonly snapshotId: string;
  readonly target: RestoreTarget;
  /** Logical paths, literal; a directory stands for everything below it. Empty: all. */
  readonly paths: readonly string[];
  /** Empty: all. */
  readonly classes: readonly RootClass[];
  readonly overwrite: OverwritePolicy;
  /** Plans, and changes nothing. */
  readonly dryRun: boolean;
  /** Removes, from the directories that are restored, what the snapshot does not hold; absent: nothing is removed. */
  readonly mirror?: LiveListing;
  /** Takes nothing for unchanged, since the swap comes much later. */
  readonly stageAll?: boolean;
  /** How deeply staged databases are checked before anything is replaced. */
  readonly check: 'none' | 'quick' | 'full';
  /** Holdfast's own: never inside a target, nor a target inside them. */
  readonly forbiddenPaths: readonly string[];
  readonly stateDirectory: string;
  readonly jobId: string | null;
  readonly sourceId: string | null;
  /** Each database, extracted and checked, before it gets its mode and time: what is rejected here ends the restore. */
  readonly onDatabaseStaged?:
    | ((logicalPath: string, stagedPath: string) => Promise<void>)
    | undefined;
  /** Before anything is written: a rejection ends the restore. */
  readonly inspectPlan?: (plan: RestorePlan) => Promise<void>;
  /** After everything is staged and checked, before anything is replaced: the caller snapshots what will be. */
  readonly beforeSwap?: (plan: RestorePlan) => Promise<void>;
  /** When everything is in place and unlocked: a rejection puts the old state back. */
  readonly afterSwap?: (plan: RestorePlan) => Promise<void>;
}

/** What stands in a live directory and belongs to the source; the composer knows the rules of capture. */
export interface LiveListing {
  /** `leavesOthers`: more stands there that belongs to no snapshot, such as excluded files. */
  list(
    directory: string,
    logicalPath: string,
  ): Promise<{ readonly entries: readonly LiveEntry[]; readonly leavesOthers: boolean }>;
}

export interface LiveEntry {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly logicalPath: string;
  readonly kind: 'file' | 'directory' | 'symlink';
  readonly bytes: number;
}

/** A directory of the snapshot with the names it has there. */
export interface MirroredDirectory {
  readonly directory: string;
  readonly logicalPath: string;
  readonly names: readonly string[];
}

/** Something a mirror takes away, into quarantine. */
export interface PlannedDeletion {
  readonly logicalPath: string;
  readonly target: string;
  readonly type: TreeEntry['type'];
  readonly bytes: number;
  /** A database: its sidecars go along. */
  readonly family: boolean;
  /** Goes with its directory. */
  readonly insideDeleted: boolean;
}

export type PlanAction = 'create' | 'overwrite' | 'skip' | 'unchanged' | 'delete';

export interface RestorePlanEntry {
  readonly logicalPath: string;
  /** Absolute. */
  readonly target: string;
  readonly action: PlanAction;
  readonly type: TreeEntry['type'];
  /** Plaintext bytes of a file or database; 0 for the rest. */
  readonly bytes: number;
  /** Why, where the action alone does not tell. */
  readonly reason?: string;
}

/** A plan entry with what staging needs to know. */
export interface PlannedEntry extends RestorePlanEntry {
  readonly entry: TreeEntry;
  /** Part of a directory that does not exist yet (or replaces something else): installed with it, as one. */
  readonly insideNew: boolean;
  /** A database, or something that stands in the place of one: its sidecars go along. */
  readonly family: boolean;
  /** An existing directory whose mode, owner and time may be set. */
  readonly setsMetadata: boolean;
  /** The directory of a root, of which the snapshot knows no mode and no time. */
  readonly isRoot: boolean;
}

export interface PlanTotals {
  readonly created: number;
  readonly overwritten: number;
  readonly skipped: number;
  readonly unchanged: number;
  readonly deleted: number;
  readonly deletedBytes: number;
  /** Plaintext bytes that will be written. */
  readonly bytes: number;
}

export interface RestorePlan {
  readonly snapshotId: string;
  /** Parents before children, roots in the snapshot's order. */
  readonly entries: readonly PlannedEntry[];
  readonly deletions: readonly PlannedDeletion[];
  readonly mirrored: readonly MirroredDirectory[];
  readonly totals: PlanTotals;
  /** Real, absolute directories that hold everything the plan writes: one per root. */
  readonly targetRoots: readonly string[];
  /**
   * Missing directories that no snapshot knows a mode of. Those of a target directory are its maker's alone;
   * a root that is made anew in place is open as directories usually are.
   */
  readonly madeDirectories: readonly { readonly path: string; readonly mode: number }[];
}
