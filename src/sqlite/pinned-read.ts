import type Database from 'better-sqlite3';
import { sleep } from '../kernel/clock.ts';
import type { ChangedPages } from './changed-pages.ts';
import { checkPinnedBeside, checksBeside } from './check-beside.ts';
import type { CheckLevel, ConnectionCheck } from './database-check.ts';
import type { DatabaseImage } from './database-image.ts';
import { type DatabaseHeader, HEADER_BYTES, type JournalMode, parseHeader } from './header.ts';
import type { LogPosition } from './log-position.ts';
import { attemptsAfter, RETRY_DELAY_MS, tryToPin } from './pin-attempts.ts';
import {
  type ConnectedCandidate,
  lockedError,
  openCandidate,
  originalHasChanged,
  type PinCandidate,
  type PinOptions,
} from './pin-candidate.ts';
import type { NewerState } from './pin-connection.ts';

export type { PinOptions } from './pin-candidate.ts';

/** A database held still at one moment while others may go on writing it. */
export interface PinnedDatabase {
  readonly path: string;
  readonly journalMode: JournalMode;
  readonly pageBytes: number;
  readonly pageCount: number;
  /** Length of `-wal` at that moment; 0 without one. */
  readonly walBytes: number;
  /** `copied`: not read in place under a transaction, but from a copy, or as plain bytes where SQLite refuses it. */
  readonly method: 'pinned' | 'copied';
  /** Why SQLite does not read it: there is then no connection, and the image is the file as it stands. */
  readonly failure: string | null;
  readonly image: DatabaseImage;
  /** The header at that moment; null when it is none. */
  readHeader(): Promise<DatabaseHeader | null>;
  /** Lends the connection, inside its transaction; null where `failure` is set. */
  withConnection<Result>(run: (database: Database.Database) => Result): Result | null;
  /**
   * Checks it beside whatever is read of it, where that is worthwhile; settles before `close` may be called, with null
   * where the check has to be done by `withConnection`. Null where it is not begun. @throws as `checkConnection`
   */
  checkBeside(level: CheckLevel): Promise<ConnectionCheck | null> | null;
  /** Where it stands in its log; null where that says nothing: no log, an empty one, or a copy. */
  logPosition(): LogPosition | null;
  /** The pages that may have changed since an earlier state of it; null when that cannot be proven. */
  changesSince(before: LogPosition): ChangedPages | null;
  /** Length of `-wal` now; 0 without one. */
  logBytes(): number;
  /** Bytes that the log has grown by since, and that are not given back before this is closed. */
  logGrowthBytes(): number;
  /** The newest state in the log and the way to it; null where that is not known. */
  changesWhilePinned(): NewerState | null;
  /** Ends the transaction and closes everything. Idempotent. */
  close(): Promise<void>;
}

export interface PinnedSet {
  /** In the order of the paths given. */
  readonly databases: readonly PinnedDatabase[];
  /** Wall clock of the moment at which all were proven to be current, or of the last pin where that failed. */
  readonly momentMs: number;
  /** False when writers were so busy that no single moment could be proven for all of them. */
  readonly atOneMoment: boolean;
  close(): Promise<void>;
}

/** How long those that moved while others were pinned are pinned again: under writers that never pause. */
const MOMENT_MS_MAX = 3_000;
/**
 * How long pins are held while another database is locked: a process that writes both may be waiting for us.
 */
const HOLD_MS_MAX = 500;

/**
 * Pins every database before any of them is read: one that is not yet held must not move on while another is copied.
 * The caller has no other connection on them, and closes the set.
 *
 * In rollback mode a pinned database keeps its writers waiting: read those first and close them at once.
 * @throws BUSY (retryable) when one stays locked past the timeout, PATH_NOT_FOUND when one is gone
 */
export async function pinDatabases(
  paths: readonly string[],
  options: PinOptions,
): Promise<PinnedSet> {
  const candidates: PinCandidate[] = [];
  try {
    for (const path of paths) candidates.push(await openCandidate(path, options));
    const { momentMs, atOneMoment } = await pinTogether(candidates, options);
    const databases = candidates.map(pinnedDatabase);
    return { databases, momentMs, atOneMoment, close: () => closeAll(databases) };
  } catch (error) {
    await closeAll(candidates);
    throw error;
  }
}

async function closeAll(each: readonly { close(): Promise<void> }[]): Promise<void> {
  for (const one of each) await one.close();
}

async function pinTogether(
  candidates: readonly PinCandidate[],
  options: PinOptions,
): Promise<{ momentMs: number; atOneMoment: boolean }> {
  const { clock } = options;
  let connected = candidates.filter((candidate) => candidate.kind === 'connected');
  const startedMs = clock.monotonicMs();
  for (;;) {
    await pinAll(connected, options);
    // Whatever did not move from its own pin until after this moment was current at this moment.
    const momentMs = clock.nowMs();
    const moved = connected.filter((candidate) => candidate.connection.hasMoved());
    if (moved.length === 0) return { momentMs, atOneMoment: !(await anyChanged(candidates)) };
    if (clock.monotonicMs() - startedMs >= MOMENT_MS_MAX) return { momentMs, atOneMoment: false };
    for (const candidate of moved) candidate.connection.unpin();
    // The busy ones last to pin, first to look at: the moment that must be free of writes is then shortest.
    const idle = connected.filter((candidate) => !moved.includes(candidate));
    connected = [...moved, ...idle];
  }
}

/** Pins those that are not pinned, waiting for whoever has one of them locked. */
async function pinAll(
  candidates: readonly ConnectedCandidate[],
  options: PinOptions,
): Promise<void> {
  const { clock, signal, timeoutMs } = options;
  const startedMs = clock.monotonicMs();
  let heldSinceMs = startedMs;
  for (;;) {
    signal.throwIfAborted();
    const nowMs = clock.monotonicMs();
    const attempts = attemptsAfter(nowMs - startedMs);
    const refused = candidates.find(({ connection }) => !tryToPin(connection, attempts));
    if (refused === undefined) return;
    if (nowMs - startedMs >= timeoutMs) throw await lockedError(refused.path, timeoutMs);
    if (nowMs - heldSinceMs >= HOLD_MS_MAX) {
      for (const candidate of candidates) candidate.connection.unpin();
      heldSinceMs = nowMs;
    }
    await sleep(clock, RETRY_DELAY_MS, signal);
  }
}

async function anyChanged(candidates: readonly PinCandidate[]): Promise<boolean> {
  for (const candidate of candidates) {
    if (await originalHasChanged(candidate)) return true;
  }
  return false;
}

function pinnedDatabase(candidate: PinCandidate): PinnedDatabase {
  if (candidate.kind === 'plain') {
    const { path, failure, headerBytes, image, close } = candidate;
    const header = parseHeader(headerBytes);
    return {
      path,
      journalMode: header?.journalMode ?? 'rollback',
      pageBytes: header?.pageBytes ?? 0,
      pageCount: header === null ? 0 : Math.ceil(image.bytes / header.pageBytes),
      walBytes: candidate.stat.wal?.bytes ?? 0,
      method: 'copied',
      failure,
      image,
      readHeader: async () => header,
      withConnection: () => null,
      checkBeside: () => null,
      logPosition: () => null,
      changesSince: () => null,
      logBytes: () => candidate.stat.wal?.bytes ?? 0,
      logGrowthBytes: () => 0,
      changesWhilePinned: () => null,
      close: () => closeAfterReads(image, close),
    };
  }
  const { path, connection, copiedFrom, close } = candidate;
  const image = connection.image();
  const { journalMode, pageBytes, pageCount, walBytes } = connection.state!;
  return {
    path,
    journalMode,
    pageBytes,
    pageCount,
    walBytes,
    method: copiedFrom === null ? 'pinned' : 'copied',
    failure: null,
    image,
    readHeader: async () => parseHeader(await image.read(0, Math.min(HEADER_BYTES, image.bytes))),
    withConnection: (run) => run(connection.connection),
    checkBeside: (level) =>
      copiedFrom === null && checksBeside(image.bytes)
        ? checkPinnedBeside(path, level, () => !connection.hasMoved())
        : null,
    logPosition: () => (copiedFrom === null ? connection.logPosition() : null),
    changesSince: (before) => (copiedFrom === null ? connection.changesSince(before) : null),
    logBytes: () => (copiedFrom === null ? connection.logBytes() : walBytes),
    logGrowthBytes: () => (copiedFrom === null ? connection.logGrowthBytes() : 0),
    changesWhilePinned: () => (copiedFrom === null ? connection.changesWhilePinned() : null),
    close: () => closeAfterReads(image, close),
  };
}

/** A consumer that failed may have left a read under way. */
async function closeAfterReads(image: DatabaseImage, close: () => Promise<void>): Promise<void> {
  await image.idle();
  await close();
}
