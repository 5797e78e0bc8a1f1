import { waitForLogReset } from '../sqlite/log-reset.ts';
import type { PinnedDatabase, PinnedSet } from '../sqlite/pinned-read.ts';
import type { LogGrowth } from '../store/manifests/manifest.ts';
import { ChunkMemory } from './chunk-memory.ts';
import type { CapturedDatabase, DatabaseContext } from './database-task.ts';

/** After so many, a capture goes through to its end: a snapshot must come to be. */
export const RETRIES_MAX = 3;
/** For a checkpoint, and the write after it that begins the log anew. */
const RESET_MS_MAX = 5_000;
const GROWTH_BYTES_LEAST = 64 * 1024 * 1024;
const GROWTH_PART = 1 / 4;

/** A log has grown further than it should: what is pinned is to be let go. Never leaves this folder. */
export class LogTooLong extends Error {
  readonly path: string;

  constructor(path: string) {
    super(`The log of ${path} has grown too long`);
    this.path = path;
  }
}

interface Finished {
  readonly state: string;
  readonly captured: CapturedDatabase;
}

/**
 * Watches the logs of pinned databases, which no checkpoint can shorten as long as they are pinned. Where one grows
 * too long, all databases are let go together, for they belong to one moment, and pinned again when the log was
 * shortened; what was read by then is remembered, and only what has changed since is read again.
 */
export class LogPatience {
  readonly #context: DatabaseContext;
  readonly #maxGrowthBytes: number | null;
  readonly #memories = new Map<string, ChunkMemory>();
  readonly #bytesBefore = new Map<string, number>();
  readonly #finished = new Map<string, Finished>();
  #open = new Set<PinnedDatabase>();
  #retries = 0;
  #isSpent: boolean;

  constructor(context: DatabaseContext) {
    this.#context = context;
    this.#maxGrowthBytes = context.maxLogGrowthBytes;
    this.#isSpent = this.#maxGrowthBytes === 0;
  }

  /** Before any of them is read. */
  begin({ databases }: PinnedSet): void {
    this.#open = new Set(databases);
    for (const pinned of databases) {
      if (pinned.journalMode !== 'wal') continue;
      if (!this.#bytesBefore.has(pinned.path)) this.#bytesBefore.set(pinned.path, pinned.walBytes);
      const known = this.#memories.get(pinned.path);
      // Only where it may be needed: it grows with the database.
      if (known === undefined && this.#isSpent) continue;
      const memory = known ?? new ChunkMemory();
      this.#memories.set(pinned.path, memory);
      memory.begin(pinned);
    }
  }

  memoryOf({ path }: PinnedDatabase): ChunkMemory | null {
    return this.#memories.get(path) ?? null;
  }

  /** What an earlier attempt made of the very state that is pinned now. */
  finishedBefore(pinned: PinnedDatabase): CapturedDatabase | null {
    const finished = this.#finished.get(pinned.path);
    return finished !== undefined && finished.state === stateOf(pinned) ? finished.captured : null;
  }

  /** Before it is closed. */
  finish(pinned: PinnedDatabase, captured: CapturedDatabase): void {
    this.#open.delete(pinned);
    const state = stateOf(pinned);
    if (state !== null) this.#finished.set(pinned.path, { state, captured });
    if (this.#isTooLong(pinned) && this.#maxGrowthBytes !== 0) {
      const megabytes = Math.round(pinned.logGrowthBytes() / 2 ** 20);
      this.#context.report.warn(
        `The log of ${pinned.path} grew by ${megabytes} MB while the database was read`,
      );
    }
  }

  /** One that is closed before it is stored, because a copy of it will be. */
  release(pinned: PinnedDatabase): void {
    this.#open.delete(pinned);
  }

  /** @throws LogTooLong where one of those that are still pinned holds up too much */
  assertBearable(): void {
    if (this.#isSpent) return;
    for (const pinned of this.#open) {
      if (this.#isTooLong(pinned)) throw new LogTooLong(pinned.path);
    }
  }

  /** When an attempt was given up, before anything is closed. */
  leave(): void {
    for (const pinned of this.#open) this.#memories.get(pinned.path)?.leave(pinned);
  }

  /** When everything is closed: gives the application time to shorten its log. */
  async wait({ message, path }: LogTooLong): Promise<void> {
    const { activity, clock } = this.#context;
    this.#retries += 1;
    activity.log(`${message}: the databases are let go (${this.#retries})`);
    const salts = this.#memories.get(path)?.position?.salts;
    const options = { clock, signal: activity.signal };
    const isReset = await waitForLogReset(path, salts ?? '', RESET_MS_MAX, options);
    // Where nobody shortens it, it is not this capture that makes it grow.
    if (!isReset || this.#retries >= RETRIES_MAX) this.#isSpent = true;
  }

  /** Undefined where it has no log. */
  growthOf(pinned: PinnedDatabase): LogGrowth | undefined {
    if (pinned.journalMode !== 'wal' || pinned.method !== 'pinned') return undefined;
    const bytesBefore = this.#bytesBefore.get(pinned.path) ?? pinned.walBytes;
    return { bytesBefore, bytesAfter: pinned.logBytes(), retries: this.#retries };
  }

  #isTooLong(pinned: PinnedDatabase): boolean {
    const byItsSize = Math.max(GROWTH_BYTES_LEAST, pinned.image.bytes * GROWTH_PART);
    return pinned.logGrowthBytes() > (this.#maxGrowthBytes ?? byItsSize);
  }
}

/** Equal ones are the same commit; null where that cannot be told. */
function stateOf(pinned: PinnedDatabase): string | null {
  const position = pinned.logPosition();
  if (position === null) return null;
  const { inode, salts, frame, checksum } = position;
  return `${inode} ${salts} ${frame} ${checksum}`;
}
