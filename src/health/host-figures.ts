import { realpath } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import systemInformation from 'systeminformation';
import { type Clock, isoTime } from '../kernel/clock.ts';
import type { MethodResult } from '../protocol/method-map.ts';
import { withinTime } from './within-time.ts';

export type HostFigures = NonNullable<MethodResult<'health.report'>['host']>;

/** Listing file systems starts processes; nobody needs it more often. */
const KEPT_MS = 30_000;
const GATHER_TIMEOUT_MS = 5_000;

export interface OwnDirectories {
  readonly state: string;
  readonly repository: string;
}

/** Memory, load, and the file systems that hold what is ours. For the report alone, never on a hot path. */
export class HostFiguresReader {
  readonly #directories: OwnDirectories;
  readonly #clock: Clock;
  #kept: { readonly figures: HostFigures; readonly atMs: number } | null = null;
  #gathering: Promise<HostFigures> | null = null;

  constructor(directories: OwnDirectories, clock: Clock) {
    this.#directories = directories;
    this.#clock = clock;
  }

  /** Null where they could not be had in time; a gathering that hangs is not started again. */
  async read(): Promise<HostFigures | null> {
    const kept = this.#kept;
    if (kept !== null && this.#clock.monotonicMs() - kept.atMs < KEPT_MS) return kept.figures;
    this.#gathering ??= this.#gather().finally(() => {
      this.#gathering = null;
    });
    // A report without them is better than none, and says so by their absence.
    return withinTime(this.#gathering, GATHER_TIMEOUT_MS, 'host figures', this.#clock).catch(
      () => null,
    );
  }

  async #gather(): Promise<HostFigures> {
    const [memory, volumes, state, repository] = await Promise.all([
      systemInformation.mem(),
      systemInformation.fsSize(),
      realpath(this.#directories.state),
      realpath(this.#directories.repository).catch(() => this.#directories.repository),
    ]);
    const own = [
      { use: 'state' as const, mount: mountOf(state, volumes) },
      { use: 'repository' as const, mount: mountOf(repository, volumes) },
    ];
    const cpuCount = Math.max(cpus().length, 1);
    const figures: HostFigures = {
      at: isoTime(this.#clock.nowMs()),
      memoryBytesTotal: memory.total,
      memoryBytesAvailable: memory.available,
      loadPerCpu: loadavg()[0]! / cpuCount,
      cpus: cpuCount,
      fileSystems: volumes
        .filter(({ mount }) => own.some((each) => each.mount === mount))
        .map(({ mount, size, available }) => ({
          mount,
          uses: own.filter((each) => each.mount === mount).map(({ use }) => use),
          bytesTotal: size,
          bytesAvailable: available,
        })),
    };
    this.#kept = { figures, atMs: this.#clock.monotonicMs() };
    return figures;
  }
}

/** The mount point that holds `path`: the longest one that is a prefix of it. */
function mountOf(path: string, volumes: readonly { mount: string }[]): string | null {
  const holds = (mount: string): boolean => `${path}/`.startsWith(join(mount, '/'));
  const mounts = volumes.map(({ mount }) => mount).filter(holds);
  return mounts.sort((left, right) => right.length - left.length)[0] ?? null;
}
