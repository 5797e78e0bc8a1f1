import type { Settings } from './settings.ts';

/** Settings that may change while the program runs: whoever needs them asks for `current` at the time of need. */
export interface LiveSettings {
  /** In force just now. Frozen: one look is consistent for as long as it is kept. */
  readonly current: Settings;
  /** Hears of each change, in order. Returns what ends it. */
  onChange(listener: SettingsListener): () => void;
}

export type SettingsListener = (now: Settings, before: Settings) => void | Promise<void>;

export class SettingsHolder implements LiveSettings {
  #current: Settings;
  readonly #listeners = new Set<SettingsListener>();

  constructor(settings: Settings) {
    this.#current = settings;
  }

  get current(): Settings {
    return this.#current;
  }

  onChange(listener: SettingsListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when every listener has acted on it. @throws what the first of them threw, when all have heard */
  async replace(settings: Settings): Promise<void> {
    const before = this.#current;
    this.#current = settings;
    const failures: unknown[] = [];
    for (const listener of this.#listeners) {
      try {
        await listener(settings, before);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
