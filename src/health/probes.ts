import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { cannot, messageOf, systemCode } from '../kernel/errors.ts';
import { FlagRecords } from '../state/flag-records.ts';
import type { StateDatabase } from '../state/state-database.ts';
import { withinTime } from './within-time.ts';

/** One thing that the daemon cannot do its work without. */
export interface Probe {
  readonly name: string;
  /** Looks; resolves with a remark or null, rejects with what is wrong. */
  look(): Promise<string | null>;
}

export interface ProbeResult {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string | null;
  readonly durationMs: number;
}

/** A file system that hangs must not hang the answer. */
const PROBE_TIMEOUT_MS = 3_000;
/** Probes are asked as often as clients like; the disk is not. */
const KEPT_MS = 2_000;
const PROBE_FLAG = 'healthProbe';

/** A write that is committed as every other: a disk that is full or read-only shows here first. */
export function stateProbe(state: StateDatabase, clock: Clock): Probe {
  const flags = new FlagRecords(state);
  return {
    name: 'state',
    look: async () => {
      flags.set(PROBE_FLAG, isoTime(clock.nowMs()));
      return null;
    },
  };
}

/** The repository can be read, and its folder be written to; before the first snapshot there may be none. */
export function repositoryProbe(directory: string): Probe {
  return {
    name: 'repository',
    look: async () => {
      const text = await readFile(join(directory, 'holdfast.json'), 'utf8').catch(missingAsNull);
      if (text !== null) {
        await access(directory, constants.W_OK);
        return null;
      }
      await access(await existingParent(directory), constants.W_OK);
      return 'there is no repository yet';
    },
  };
}

async function existingParent(directory: string): Promise<string> {
  for (let path = directory; ; path = dirname(path)) {
    const found = await access(path, constants.F_OK).then(() => true, missingAsNull);
    if (found === true || path === dirname(path)) return path;
  }
}

function missingAsNull(error: unknown): null {
  if (systemCode(error) === 'ENOENT') return null;
  throw error;
}

/** Runs probes, keeps their results for a moment, and never lets one that hangs be started again meanwhile. */
export class ProbeRunner {
  readonly #probes: readonly Probe[];
  readonly #clock: Clock;
  readonly #hanging = new Set<string>();
  #kept: { readonly results: Promise<readonly ProbeResult[]>; readonly atMs: number } | null = null;

  constructor(probes: readonly Probe[], clock: Clock) {
    this.#probes = probes;
    this.#clock = clock;
  }

  run(): Promise<readonly ProbeResult[]> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#kept === null || nowMs - this.#kept.atMs >= KEPT_MS) {
      const results = Promise.all(this.#probes.map((probe) => this.#runOne(probe)));
      this.#kept = { results, atMs: nowMs };
    }
    return this.#kept.results;
  }

  async #runOne({ name, look }: Probe): Promise<ProbeResult> {
    const startedMs = this.#clock.monotonicMs();
    const end = (ok: boolean, message: string | null): ProbeResult => ({
      name,
      ok,
      message,
      durationMs: this.#clock.monotonicMs() - startedMs,
    });
    try {
      if (this.#hanging.has(name)) throw cannot('TIMEOUT', 'probe', name, 'it still hangs');
      this.#hanging.add(name);
      const looking = look().finally(() => this.#hanging.delete(name));
      return end(true, await withinTime(looking, PROBE_TIMEOUT_MS, name, this.#clock));
    } catch (error) {
      return end(false, messageOf(error));
    }
  }
}
