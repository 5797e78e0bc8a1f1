import type { StateDatabase } from './state-database.ts';

/** What was changed of the settings while the daemon ran, by version. */
export interface SettingsRecord {
  /** Rises with every change; 0: nothing was ever changed. */
  readonly version: number;
  /** Epoch ms. */
  readonly changedAt: number;
  /** As `config/settings-changes.ts` has it. */
  readonly changes: unknown;
}

/** Older versions are only there to be looked at. */
export const VERSIONS_KEPT = 20;

export class SettingsRecords {
  readonly #state: StateDatabase;

  constructor(state: StateDatabase) {
    this.#state = state;
  }

  newest(): SettingsRecord | null {
    const row = this.#state.connection
      .prepare(
        'SELECT version, changedAt, changes FROM settingsChanges ORDER BY version DESC LIMIT 1',
      )
      .get() as { version: number; changedAt: number; changes: string } | undefined;
    return row === undefined ? null : { ...row, changes: JSON.parse(row.changes) };
  }

  put({ version, changedAt, changes }: SettingsRecord): void {
    this.#state.transaction(() => {
      this.#state.connection
        .prepare('INSERT INTO settingsChanges (version, changedAt, changes) VALUES (?, ?, ?)')
        .run(version, Math.round(changedAt), JSON.stringify(changes));
      this.#state.connection
        .prepare('DELETE FROM settingsChanges WHERE version <= ?')
        .run(version - VERSIONS_KEPT);
    });
  }
}
