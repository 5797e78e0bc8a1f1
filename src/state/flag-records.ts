import type { StateDatabase } from './state-database.ts';

/** The few single facts that have no table of their own, as JSON values by key. */
export class FlagRecords {
  readonly #state: StateDatabase;

  constructor(state: StateDatabase) {
    this.#state = state;
  }

  /** Undefined where the key was never set. */
  get(key: string): unknown {
    const value = this.#state.connection
      .prepare('SELECT value FROM flags WHERE key = ?')
      .pluck()
      .get(key) as string | undefined;
    return value === undefined ? undefined : JSON.parse(value);
  }

  set(key: string, value: unknown): void {
    this.#state.transaction(() =>
      this.#state.connection
        .prepare('INSERT OR REPLACE INTO flags (key, value) VALUES (?, ?)')
        .run(key, JSON.stringify(value)),
    );
  }

  remove(key: string): void {
    this.#state.transaction(() =>
      this.#state.connection.prepare('DELETE FROM flags WHERE key = ?').run(key),
    );
  }
}
