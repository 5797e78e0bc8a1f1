import { statSync } from 'node:fs';
import { systemClock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import { type Layout, notesPath } from '../layout.ts';
import { EMPTY_NOTES, type Notes } from './manifest.ts';
import { readNotesFile } from './notes-file.ts';

/**
 * The time of a directory changes with every file that is replaced in it, but only as finely as the kernel's clock
 * ticks: after this long, no further change can get the time that was seen.
 */
const TICK_MS = 50;

interface Kept {
  readonly identity: string;
  /** Null where they are damaged. */
  readonly notes: Notes | null;
}

/** The notes of all snapshots, read again only where something may have changed. */
export class NotesCache {
  readonly #layout: Layout;
  readonly #kept = new Map<string, Kept>();
  #time: { readonly value: bigint; readonly seenMs: number } | null = null;
  /** What is looked at from now on cannot change without changing the time. */
  #canSettle = false;
  /** All that is kept was looked at since then. */
  #isSettled = false;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** Called before a round of `get`. */
  begin(): void {
    const value = statSync(this.#layout.notes, { bigint: true, throwIfNoEntry: false })?.mtimeNs;
    // Not a clock that a test may turn: it is held against the kernel's.
    const nowMs = systemClock.monotonicMs();
    if (value === undefined) {
      this.#kept.clear();
      this.#time = null;
      this.#isSettled = false;
      return;
    }
    if (this.#time?.value !== value) {
      this.#time = { value, seenMs: nowMs };
      this.#isSettled = false;
    }
    this.#canSettle = nowMs - this.#time.seenMs > TICK_MS;
  }

  /** Null where they are damaged; none where there is no file. */
  get(id: string): Notes | null {
    const kept = this.#kept.get(id);
    if (kept !== undefined && this.#isSettled) return kept.notes;
    const identity = this.#identityOf(id);
    if (identity === null) {
      this.#kept.delete(id);
      return EMPTY_NOTES;
    }
    if (kept?.identity === identity) return kept.notes;
    const notes = this.#read(id);
    this.#kept.set(id, { identity, notes });
    return notes;
  }

  /** Called after `get` was asked about every snapshot with notes. */
  end(): void {
    this.#isSettled ||= this.#time !== null && this.#canSettle;
  }

  #identityOf(id: string): string | null {
    const stat = statSync(notesPath(this.#layout, id), { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? null : `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
  }

  #read(id: string): Notes | null {
    try {
      return readNotesFile(this.#layout, id);
    } catch (error) {
      if (error instanceof HoldfastError) return null;
      throw error;
    }
  }
}
