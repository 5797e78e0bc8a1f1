import type { StateDatabase } from './state-database.ts';

/** What a source looked like when it was last captured: equal fingerprint, nothing to capture. */
export interface BaselineRecord {
  readonly sourceId: string;
  readonly sourceFingerprint: string;
  readonly snapshotId: string;
  /** Epoch ms of the capture. */
  readonly at: number;
}

const COLUMNS = 'sourceId, sourceFingerprint, snapshotId, at';

export class BaselineRecords {
  readonly #state: StateDatabase;

  constructor(state: StateDatabase) {
    this.#state = state;
  }

  get(sourceId: string): BaselineRecord | null {
    const row = this.#state.connection
      .prepare(`SELECT ${COLUMNS} FROM baselines WHERE sourceId = ?`)
      .get(sourceId);
    return (row as BaselineRecord | undefined) ?? null;
  }

  list(): BaselineRecord[] {
    return this.#state.connection
      .prepare(`SELECT ${COLUMNS} FROM baselines ORDER BY sourceId`)
      .all() as BaselineRecord[];
  }

  put(record: BaselineRecord): void {
    this.#state.transaction(() =>
      this.#state.connection
        .prepare(
          `INSERT OR REPLACE INTO baselines (${COLUMNS})
           VALUES (@sourceId, @sourceFingerprint, @snapshotId, @at)`,
        )
        .run(record),
    );
  }

  /** After this the next look at the source finds it changed. */
  remove(sourceId: string): void {
    this.#state.transaction(() =>
      this.#state.connection.prepare('DELETE FROM baselines WHERE sourceId = ?').run(sourceId),
    );
  }
}
