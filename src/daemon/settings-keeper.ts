import type { SettingsControl } from '../api/context.ts';
import type { SettingsHolder } from '../config/live-settings.ts';
import {
  type DurableWrite,
  readRememberedChanges,
  rememberSettings,
} from '../config/remembered-settings.ts';
import {
  baseDocument,
  resolveChangedSettings,
  resolveStoredChanges,
  type SetAsideChange,
  valueOrigins,
} from '../config/resolve-changed-settings.ts';
import type { ResolveRequest } from '../config/resolve-settings.ts';
import type { Settings } from '../config/settings.ts';
import {
  type BaseDocument,
  NO_CHANGES,
  parseChanges,
  type SettingsChanges,
} from '../config/settings-changes.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import type { SettingsRecords } from '../state/settings-records.ts';

export interface SettingsKeeperOptions {
  /** What the daemon was started with. */
  readonly request: ResolveRequest;
  readonly live: SettingsHolder;
  readonly records: SettingsRecords;
  readonly clock: Clock;
  readonly write: DurableWrite;
}

/** The one place that changes the settings: validated as a whole, durable, then in force. */
export class SettingsKeeper implements SettingsControl {
  readonly #options: SettingsKeeperOptions;
  #changes: SettingsChanges = NO_CHANGES;
  #version = 0;
  #setAside: readonly SetAsideChange[] = [];
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: SettingsKeeperOptions) {
    this.#options = options;
  }

  get current(): Settings {
    return this.#options.live.current;
  }

  get version(): number {
    return this.#version;
  }

  get setAside(): readonly SetAsideChange[] {
    return this.#setAside;
  }

  /** Brings back what was changed before; never fails because of it. @throws what is wrong with the configuration */
  async open(): Promise<void> {
    const { request, live } = this.#options;
    await this.#load();
    const { settings, setAside } = await resolveStoredChanges(request, this.#changes);
    this.#setAside = setAside;
    await this.#remember(settings);
    await live.replace(settings);
  }

  hasChangeOf(sourceId: string): boolean {
    return this.#changes.sources[sourceId] !== undefined;
  }

  origins(): Record<string, string> {
    return valueOrigins(this.#options.request, this.#changes);
  }

  /** One after the other. @throws VERSION_CONFLICT, CONFIG_INVALID, INVALID_CRON, whatever `edit` throws */
  change(
    expectVersion: number | undefined,
    edit: (changes: SettingsChanges, base: BaseDocument) => SettingsChanges,
  ): Promise<number> {
    const work = this.#work.then(() => this.#change(expectVersion, edit));
    this.#work = work.catch(() => {});
    return work;
  }

  async #change(
    expectVersion: number | undefined,
    edit: (changes: SettingsChanges, base: BaseDocument) => SettingsChanges,
  ): Promise<number> {
    const { request, live, records, clock } = this.#options;
    if (expectVersion !== undefined && expectVersion !== this.#version) {
      throw cannot(
        'VERSION_CONFLICT',
        'change',
        'settings',
        `they are at version ${this.#version}, not ${expectVersion}`,
        {
          hint: 'Somebody else changed them: read them again, then decide.',
          details: { version: this.#version, expectVersion },
        },
      );
    }
    const changes = edit(this.#changes, baseDocument(request));
    if (JSON.stringify(changes) === JSON.stringify(this.#changes)) return this.#version;
    const settings = await resolveChangedSettings(request, changes);
    const version = this.#version + 1;
    // First the copy that commands use while the daemon is down: it is written anew at the next start anyway.
    await this.#remember(settings, { version, changes });
    records.put({ version, changedAt: clock.nowMs(), changes });
    this.#changes = changes;
    this.#version = version;
    this.#setAside = [];
    await live.replace(settings);
    return version;
  }

  async #load(): Promise<void> {
    const { records, live, clock } = this.#options;
    const stored = records.newest();
    if (stored !== null) {
      this.#version = stored.version;
      this.#changes = parseChanges(stored.changes) ?? NO_CHANGES;
      return;
    }
    // Should state.db have been lost, what it held is also in the settings remembered beside it.
    const remembered = await readRememberedChanges(live.current.stateDirectory);
    if (remembered === null) return;
    this.#version = remembered.version;
    this.#changes = remembered.changes;
    records.put({ ...remembered, changedAt: clock.nowMs() });
  }

  #remember(
    settings: Settings,
    changed = { version: this.#version, changes: this.#changes },
  ): Promise<void> {
    return rememberSettings(settings, this.#options.write, changed);
  }
}
