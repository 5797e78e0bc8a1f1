import type { Activity } from '../../kernel/activity.ts';
import type { FamilyStat } from '../../sqlite/family.ts';
import type { JournalMode } from '../../sqlite/header.ts';
import type { Damage } from '../damage.ts';
import type { ForeignRows } from '../foreign-rows.ts';
import type { SalvageReport } from '../report.ts';
import type { DatabaseSnapshot } from '../snapshot-databases.ts';
import type { SnapshotImages } from '../snapshot-images.ts';

/**
 * One way to get a sound database from a damaged one. Every candidate that applies is built on copies of its own;
 * those that pass the gates are scored by rows, and ties go to the less invasive.
 */
export interface Candidate {
  readonly name: string;
  /** Lower changes less of what the application last wrote. */
  readonly invasiveness: number;
  applicable(assessment: Assessment): boolean;
  /** Ways to build it, best first: the first whose result passes the gates stands for the candidate. */
  attempts(context: CandidateContext): AsyncIterable<Attempt> | Iterable<Attempt>;
}

/** What is known of a damaged database before anything is built. */
export interface Assessment {
  /** What the full check said of the copy as SQLite opens it. */
  readonly messages: readonly string[];
  /** Null when the schema cannot be read. */
  readonly damage: Damage | null;
  readonly hasWal: boolean;
  readonly hasJournal: boolean;
  readonly hasSnapshot: boolean;
}

export interface CandidateContext {
  readonly assessment: Assessment;
  /** The family as it was found; never opened through SQLite, never changed. */
  readonly pristine: string;
  /** Of the original that `pristine` is a copy of. */
  readonly found: FamilyStat;
  /** The journal mode that what is installed must have. */
  readonly journalMode: JournalMode;
  readonly images: SnapshotImages | null;
  readonly activity: Activity;
}

export interface Attempt {
  /** For the report: what this way does. */
  readonly label: string;
  readonly snapshot: DatabaseSnapshot | null;
  /**
   * Builds a single database file, without sidecars, in the new directory `directory`.
   * @throws anything: the attempt failed, and why
   */
  build(directory: string): Promise<BuiltCandidate>;
}

export interface BuiltCandidate {
  readonly path: string;
  /** Rows that its origin may have held beyond those that can be read. With any, the result is a partial one. */
  readonly doubtfulRows: number;
  /** It is proven to be, byte for byte, what the application last wrote: no row that differs from it is lost. */
  readonly exact?: boolean;
  /** Rows of the damaged file that it left out because they cannot be rows of the tables they stand in. */
  readonly foreignRows?: readonly ForeignRows[];
  /** For the report: what was done, beyond the attempt's label. */
  readonly detail?: string;
  /** Present when it was built row by row. */
  readonly salvage?: SalvageReport;
}
