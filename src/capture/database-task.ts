import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Content } from '../store/chunks/content.ts';
import type { ManifestDatabase } from '../store/manifests/manifest.ts';
import type { StoreWriter } from '../store/store.ts';
import type { CaptureReport } from './capture-report.ts';
import type { FoundDatabase } from './find-databases.ts';
import type { ParentSnapshot } from './parent-snapshot.ts';

/** What capturing a database needs. */
export interface DatabaseContext {
  readonly writer: StoreWriter;
  readonly parent: ParentSnapshot;
  readonly report: CaptureReport;
  readonly activity: Activity;
  readonly clock: Clock;
  readonly scratchDirectory: string;
  readonly checkLevel: 'quick' | 'full';
  /** All of a database is read at least this often, whatever its log proves; 0: every time. */
  readonly fullScanEveryMs: number;
  /** How far a log may grow while its database is read; 0: without bound; null: by the size of the database. */
  readonly maxLogGrowthBytes: number | null;
  /** Larger files are left out, databases never; null: no bound. */
  readonly fileBytesMax: number | null;
  /** Whether a file is a log whose lines are counted. */
  readonly countsLines: (logicalPath: string) => boolean;
}

export interface CapturedDatabase {
  readonly content: Content;
  readonly record: ManifestDatabase;
}

/** A database that is read, with what was known of it before. */
export interface DatabaseTask {
  readonly found: FoundDatabase;
  /** Taken before it is pinned: a later write can only make it look changed, never unchanged. */
  readonly fingerprint: string;
}
