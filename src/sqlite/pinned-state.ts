import type { JournalMode } from './header.ts';
import type { WalIndexHeader } from './wal-index.ts';

/** What a read transaction sees, known exactly. */
export interface PinnedState {
  readonly journalMode: JournalMode;
  readonly pageBytes: number;
  readonly pageCount: number;
  /** Length of `-wal`; 0 without one. */
  readonly walBytes: number;
  readonly walIndex: WalIndexHeader | null;
  /** Frames of the log that are in the database file as well. */
  readonly backfilled: number;
  /** True when committed pages are in the log alone. */
  readonly overlay: boolean;
}
