import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { identify } from '../files/entry-identity.ts';
import { checkLogicalPath, resolveBelow } from '../files/safe-path.ts';
import type { Activity } from '../kernel/activity.ts';
import { cannot } from '../kernel/errors.ts';
import type { Manifest, ManifestRoot } from '../store/manifests/manifest.ts';
import type { StoreReader } from '../store/store.ts';
import type { DirectoryEntry, TreeEntry } from '../store/trees/tree-entry.ts';
import { decide, looksLikeDatabase } from './compare-target.ts';
import type {
  MirroredDirectory,
  PlanAction,
  PlannedEntry,
  RestoreRequest,
} from './restore-request.ts';
import { rootPath, type TargetRoot } from './restore-roots.ts';
import { hasSameMetadata, restoresOwners } from './restored-metadata.ts';
import { DeclaredLimits, readChildren, type Selection } from './snapshot-entries.ts';

/** One name of the snapshot on its way into the plan. */
interface Step {
  readonly entry: TreeEntry;
  readonly logicalPath: string;
  readonly target: string;
  /** Its directory does not exist yet: neither does it. */
  readonly insideNew: boolean;
  /** Its directory is kept as something else: so is it. */
  readonly insideSkipped: boolean;
  /** The root directory itself, of which the snapshot knows no mode or time. */
  readonly isRoot: boolean;
}

const bytesOf = (entry: TreeEntry): number =>
  entry.type === 'file' || entry.type === 'database' ? entry.content.bytes : 0;

/** Builds the entries of a plan, looking at each target once. */
export class RestorePlanner {
  readonly #request: RestoreRequest;
  readonly #reader: StoreReader;
  readonly #activity: Activity;
  readonly #manifest: Manifest;
  readonly #limits: DeclaredLimits;
  readonly #guard: (target: string, replacesWhole: boolean) => void;
  /** Missing parents that are planned already. */
  readonly #parents = new Set<string>();
  readonly #owners: boolean;
  readonly entries: PlannedEntry[] = [];
  /** Directories that exist and whose every child the snapshot knows: a mirror removes the others. */
  readonly mirrored: MirroredDirectory[] = [];

  constructor(
    request: RestoreRequest,
    reader: StoreReader,
    activity: Activity,
    manifest: Manifest,
    guard: (target: string, replacesWhole: boolean) => void,
  ) {
    this.#request = request;
    this.#reader = reader;
    this.#activity = activity;
    this.#manifest = manifest;
    this.#limits = new DeclaredLimits(manifest);
    this.#guard = guard;
    this.#owners = restoresOwners(request.target);
  }

  async addSelection({ root, components, entry }: Selection, place: TargetRoot): Promise<void> {
    // Every parent up to the target root is looked at: none may be a symlink.
    const { path, existing } = await resolveBelow(place.base, [...place.prefix, ...components]);
    let insideNew = false;
    const missing = existing - place.prefix.length;
    for (let count = Math.max(missing, 0) + 1; count < components.length; count++) {
      await this.#addMissingParent(root, components.slice(0, count), place, insideNew);
      insideNew = true;
    }
    await this.#walk({
      entry,
      logicalPath: [root.prefix, ...components].join('/'),
      target: path,
      insideNew,
      insideSkipped: false,
      isRoot: components.length === 0,
    });
  }

  /** A directory on the way to what was asked for is made as the snapshot has it, without the rest of its files. */
  async #addMissingParent(
    root: ManifestRoot,
    components: readonly string[],
    place: TargetRoot,
    insideNew: boolean,
  ): Promise<void> {
    const target = join(rootPath(place), ...components);
    if (this.#parents.has(target)) return;
    this.#parents.add(target);
    const logicalPath = [root.prefix, ...components].join('/');
    const entry = await this.#reader.findEntry(this.#manifest, logicalPath);
    this.#limits.count(entry, logicalPath);
    const step = { entry, logicalPath, target, insideNew, insideSkipped: false, isRoot: false };
    this.entries.push(await this.#plan(step));
  }

  async #walk(first: Step): Promise<void> {
    const steps: Step[] = [first];
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      this.#activity.signal.throwIfAborted();
      checkLogicalPath(step.logicalPath);
      this.#limits.count(step.entry, step.logicalPath);
      const planned = await this.#plan(step);
      this.#guard(planned.target, planned.action === 'overwrite' && planned.type !== 'directory');
      this.entries.push(planned);
      this.#activity.progress({ phase: 'plan', filesDone: this.entries.length });
      if (step.entry.type === 'directory') {
        // Taken from the end: pushed in reverse, so that names come in order.
        const children = await readChildren(this.#reader, step.entry.tree, step.logicalPath);
        const names = children.map(({ name }) => name);
        for (const child of children.reverse()) steps.push(stepInto(step, planned, child));
        this.#noteMirrored(step, planned, names);
      }
    }
  }

  #noteMirrored(step: Step, planned: PlannedEntry, names: readonly string[]): void {
    if (this.#request.mirror === undefined || planned.action === 'skip') return;
    const { target: directory, logicalPath } = step;
    this.mirrored.push({ directory, logicalPath, names });
  }

  async #plan(step: Step): Promise<PlannedEntry> {
    const { entry, target, logicalPath, insideNew } = step;
    const planned = (
      action: PlanAction,
      more: { reason?: string; family?: boolean; setsMetadata?: boolean } = {},
    ): PlannedEntry => ({
      logicalPath,
      target,
      action,
      type: entry.type,
      bytes: bytesOf(entry),
      ...(more.reason === undefined ? {} : { reason: more.reason }),
      entry,
      insideNew,
      family: more.family ?? entry.type === 'database',
      setsMetadata: more.setsMetadata ?? false,
      isRoot: step.isRoot,
    });
    if (step.insideSkipped) return planned('skip', { reason: 'its directory is skipped' });
    if (insideNew) return planned('create');
    const now = await identify(target);
    if (now === null) return planned('create');
    if (now.kind === 'special') {
      throw cannot('PATH_UNSAFE', 'restore', target, 'a device, a pipe or a socket stands there');
    }
    if (entry.type === 'directory') {
      if (now.kind === 'directory') return planned(...(await this.#existingDirectory(step, entry)));
      if (now.kind === 'symlink') {
        throw cannot(
          'PATH_UNSAFE',
          'restore',
          target,
          'a symlink stands where a directory belongs',
          {
            hint: 'Symlinks are never followed. Move it away, or restore to another directory.',
          },
        );
      }
      if (this.#request.overwrite === 'never') return planned('skip', { reason: 'exists' });
      return planned('overwrite', { reason: 'replaces a file' });
    }
    if (now.kind === 'directory') return planned(...(await this.#overDirectory(target)));
    const rules = {
      overwrite: this.#request.overwrite,
      owners: this.#owners,
      stageAll: this.#request.stageAll === true,
      reader: this.#reader,
      activity: this.#activity,
    };
    const decision = await decide(rules, entry, target, now);
    const { action, reason } = decision;
    const replacesDatabase =
      action === 'overwrite' && now.kind === 'file' && (await looksLikeDatabase(target));
    return planned(action, {
      ...(reason === undefined ? {} : { reason }),
      family: entry.type === 'database' || (entry.type === 'file' && replacesDatabase),
    });
  }

  async #existingDirectory(
    step: Step,
    entry: DirectoryEntry,
  ): Promise<[PlanAction, { reason?: string; setsMetadata?: boolean }]> {
    if (step.isRoot || this.#request.overwrite === 'never') return ['unchanged', {}];
    if (await hasSameMetadata(entry, step.target, this.#owners))
      return ['unchanged', { setsMetadata: true }];
    return ['overwrite', { reason: 'mode or owner differs', setsMetadata: true }];
  }

  /** A directory is never replaced together with what is in it. */
  async #overDirectory(target: string): Promise<[PlanAction, { reason: string }]> {
    if (this.#request.overwrite === 'never') return ['skip', { reason: 'exists' }];
    const children = await readdir(target);
    if (children.length === 0) return ['overwrite', { reason: 'replaces an empty directory' }];
    throw cannot(
      'TARGET_NOT_EMPTY',
      'restore',
      target,
      `a directory with ${children.length} entries stands where the snapshot has something else`,
      { hint: 'Move it away, or restore to another directory.' },
    );
  }
}

function stepInto(parent: Step, planned: PlannedEntry, entry: TreeEntry): Step {
  const isNew = planned.action === 'create' || planned.reason === 'replaces a file';
  return {
    entry,
    logicalPath: `${parent.logicalPath}/${entry.name}`,
    target: join(parent.target, entry.name),
    insideNew: isNew,
    insideSkipped: planned.action === 'skip',
    isRoot: false,
  };
}
