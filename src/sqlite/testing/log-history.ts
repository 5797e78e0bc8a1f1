import { systemClock } from '../../kernel/clock.ts';
import type { LogPosition } from '../log-position.ts';
import { pinDatabases } from '../pinned-read.ts';
import { SqliteChild } from './processes.ts';

/** A state of a database: all of its bytes, and where it stood in its log. */
export interface SeenState {
  readonly bytes: Buffer;
  readonly position: LogPosition | null;
  /** How the pages that changed since the state before are known. */
  readonly known: 'same log' | 'next log' | 'not at all';
  /** Pages said to be unchanged since the state before. */
  readonly kept: number;
  /** Those of them that are not. */
  readonly wrong: readonly number[];
}

/** Two processes with a connection each on one database, and one that looks at it from time to time. */
export class LogHistory {
  readonly path: string;
  readonly #scratchDirectory: string;
  readonly #writers: SqliteChild[] = [];
  #last: SeenState | null = null;

  constructor(path: string, scratchDirectory: string) {
    this.path = path;
    this.#scratchDirectory = scratchDirectory;
  }

  /** What is refused, as busy or absent, is refused: any application meets that. */
  async exec(writer: number, sql: string): Promise<string | null> {
    const child = await this.#writer(writer);
    return child.attempt({ exec: sql });
  }

  async reopen(writer: number): Promise<void> {
    const child = await this.#writer(writer);
    await child.attempt({ close: true });
    await this.#open(child);
  }

  async crash(writer: number): Promise<void> {
    await this.#writers[writer]?.kill();
    delete this.#writers[writer];
  }

  async end(): Promise<void> {
    for (const index of this.#writers.keys()) await this.crash(index);
  }

  /** Looks at the database as a capture does, and compares what it finds with what is said about it. */
  async look(): Promise<SeenState> {
    const before = this.#last;
    const set = await pinDatabases([this.path], {
      scratchDirectory: this.#scratchDirectory,
      timeoutMs: 10_000,
      clock: systemClock,
      signal: new AbortController().signal,
    });
    try {
      const pinned = set.databases[0]!;
      const position = pinned.logPosition();
      const earlier = before?.position ?? null;
      const pages = earlier === null ? null : pinned.changesSince(earlier);
      const bytes = await pinned.image.read(0, pinned.image.bytes);
      let kept = 0;
      const wrong: number[] = [];
      for (let at = 0; before !== null && at < bytes.length; at += pinned.pageBytes) {
        if (pages?.isUnchanged(at, pinned.pageBytes, pinned.pageBytes) !== true) continue;
        kept += 1;
        const page = bytes.subarray(at, at + pinned.pageBytes);
        if (!page.equals(before.bytes.subarray(at, at + pinned.pageBytes))) {
          wrong.push(at / pinned.pageBytes + 1);
        }
      }
      const isSame = earlier?.salts === position?.salts;
      const known = pages === null ? 'not at all' : isSame ? 'same log' : 'next log';
      this.#last = { bytes, position, known, kept, wrong };
      return this.#last;
    } finally {
      await set.close();
    }
  }

  async #writer(index: number): Promise<SqliteChild> {
    const known = this.#writers[index];
    if (known !== undefined) return known;
    const child = SqliteChild.start();
    this.#writers[index] = child;
    await this.#open(child);
    return child;
  }

  async #open(child: SqliteChild): Promise<void> {
    await child.open(this.path, { timeout: 5 });
    // A cache of a few pages: a transaction writes to the log before it is committed, or given up.
    await child.attempt({ exec: 'PRAGMA cache_size = 5; PRAGMA synchronous = OFF' });
  }
}
