import { dirname } from 'node:path';
import { requireFreeSpace } from '../files/free-space.ts';
import { mountOf } from '../files/mounts.ts';
import { nearestExisting } from '../files/safe-path.ts';
import { chooseStagingDirectory, removeStaging } from '../files/staging.ts';
import type { RestorePlan } from './restore-request.ts';

export interface StagingBounds {
  readonly stateDirectory: string;
  /** No staging directory is made in any of these. */
  readonly outside: readonly string[];
}

/** One staging directory for every file system the restore writes to. */
export class StagingPlaces {
  readonly #bounds: StagingBounds;
  readonly #byMount = new Map<string, string>();
  readonly #byDirectory = new Map<string, string>();

  constructor(bounds: StagingBounds) {
    this.#bounds = bounds;
  }

  /** Directories made so far. */
  get directories(): string[] {
    return [...this.#byMount.values()];
  }

  async for(target: string): Promise<string> {
    const directory = await nearestExisting(dirname(target));
    const known = this.#byDirectory.get(directory);
    if (known !== undefined) return known;
    const mount = await mountOf(directory);
    let staging = this.#byMount.get(mount.id);
    if (staging === undefined) {
      const { outside, stateDirectory } = this.#bounds;
      staging = await chooseStagingDirectory(target, outside, stateDirectory);
      this.#byMount.set(mount.id, staging);
    }
    this.#byDirectory.set(directory, staging);
    return staging;
  }

  async remove(): Promise<void> {
    for (const directory of this.directories) {
      await removeStaging(directory, this.#bounds.stateDirectory);
    }
  }
}

/**
 * Refuses a restore that would fill a disk: bytes are summed by the file system they go to.
 * @throws NO_SPACE
 */
export async function requireSpace(plan: RestorePlan): Promise<void> {
  const needed = new Map<string, { directory: string; bytes: number }>();
  const mounts = new Map<string, { id: string; directory: string }>();
  for (const { action, target, bytes } of plan.entries) {
    if (action !== 'create' && action !== 'overwrite') continue;
    const parent = dirname(target);
    let mount = mounts.get(parent);
    if (mount === undefined) {
      const directory = await nearestExisting(parent);
      mount = { id: (await mountOf(directory)).id, directory };
      mounts.set(parent, mount);
    }
    const sum = needed.get(mount.id) ?? { directory: mount.directory, bytes: 0 };
    needed.set(mount.id, { ...sum, bytes: sum.bytes + bytes });
  }
  for (const { directory, bytes } of needed.values()) {
    await requireFreeSpace(directory, bytes, 'restore to');
  }
}
