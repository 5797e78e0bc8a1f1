import { basename, dirname, join } from 'node:path';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { makeDirectory } from '../durable.ts';
import { type EntryIdentity, identify } from '../entry-identity.ts';
import { familyMembers } from '../family-members.ts';
import { requireFreeSpace } from '../free-space.ts';
import { mountOf } from '../mounts.ts';
import { quarantinePath } from '../quarantine/quarantine.ts';
import { nearestExisting } from '../safe-path.ts';
import { newStagingName, stagingParent } from '../staging.ts';
import type { JournalItem, SwapJournal, SwapMember } from './journal.ts';
import type { SwapItem, SwapRequest } from './request.ts';

/** Chooses where originals are held: in the quarantine itself, or, on another mount, in a hidden folder there. */
class HoldPlaces {
  readonly #request: SwapRequest;
  readonly #quarantine: string;
  readonly #byMount = new Map<string, string>();
  readonly #byParent = new Map<string, string>();
  readonly groups = new Map<string, number>();

  constructor(request: SwapRequest, quarantine: string) {
    this.#request = request;
    this.#quarantine = quarantine;
  }

  /** Folders outside the quarantine. */
  get outside(): string[] {
    return [...this.#byMount.values()].filter((path) => path !== this.#quarantine);
  }

  group(parent: string): number {
    const known = this.groups.get(parent);
    if (known !== undefined) return known;
    this.groups.set(parent, this.groups.size);
    return this.groups.size - 1;
  }

  async held(target: string, path: string): Promise<string> {
    const parent = dirname(target);
    let root = this.#byParent.get(parent);
    if (root === undefined) {
      root = await this.#rootFor(target);
      this.#byParent.set(parent, root);
    }
    return join(root, String(this.group(parent)), basename(path));
  }

  async #rootFor(target: string): Promise<string> {
    const { stateDirectory, items } = this.#request;
    const mount = await mountOf(await nearestExisting(dirname(target)));
    const known = this.#byMount.get(mount.id);
    if (known !== undefined) return known;
    const home = dirname(this.#quarantine);
    const parents = items.map((item) => dirname(item.target));
    const root =
      (await mountOf(home)).id === mount.id
        ? this.#quarantine
        : join(await stagingParent(target, parents, stateDirectory), newStagingName());
    this.#byMount.set(mount.id, root);
    return root;
  }
}

async function journalItem(
  item: SwapItem,
  index: number,
  id: string,
  single: boolean,
  places: HoldPlaces,
): Promise<JournalItem> {
  const { target, staged, family } = item;
  const members: SwapMember[] = [];
  for (const path of family ? familyMembers(target) : [target]) {
    members.push({ path, before: await identify(path), held: await places.held(target, path) });
  }
  const blocker =
    !family || single
      ? null
      : join(staged === null ? dirname(members[0]!.held) : dirname(staged), `.${id}-${index}`);
  return {
    target,
    staged,
    stagedInode: staged === null ? null : ((await identify(staged))?.inode ?? null),
    family,
    group: places.group(dirname(target)),
    members,
    blocker,
  };
}

/** One rename that needs no commit record: it replaces at most one file, and no sidecar stands beside it. */
async function isSingle(items: readonly SwapItem[]): Promise<boolean> {
  const [item, ...others] = items;
  if (item === undefined || others.length > 0 || item.staged === null) return false;
  if (!item.family) return true;
  for (const sidecar of familyMembers(item.target).slice(1)) {
    if ((await identify(sidecar)) !== null) return false;
  }
  return true;
}

/** False for a removal where nothing stands anyway. */
async function hasWork({ target, staged, family }: SwapItem): Promise<boolean> {
  if (staged !== null) return true;
  for (const path of family ? familyMembers(target) : [target]) {
    if ((await identify(path)) !== null) return true;
  }
  return false;
}

/** Missing parents of all targets, topmost first, and the existing ones whose entries will change. */
async function surveyParents(
  items: readonly SwapItem[],
): Promise<Pick<SwapJournal, 'createdDirectories' | 'touchedDirectories'>> {
  const missing = new Set<string>();
  const touched = new Map<string, EntryIdentity>();
  for (const parent of new Set(items.map(({ target }) => dirname(target)))) {
    const nearest = await nearestExisting(parent);
    for (let level = parent; level !== nearest; level = dirname(level)) missing.add(level);
    touched.set(nearest, (await identify(nearest))!);
  }
  return {
    createdDirectories: [...missing].sort((left, right) => left.length - right.length),
    touchedDirectories: [...touched].map(([path, { mtimeNs }]) => ({ path, mtimeNs })),
  };
}

/** Bytes that must be copied because the quarantine is on another file system; directories count as nothing. */
function copyBytesOf(items: readonly JournalItem[], quarantine: string): number {
  return items
    .flatMap(({ members }) => members)
    .filter(({ held }) => dirname(dirname(held)) !== quarantine)
    .reduce((sum, { before }) => sum + (before?.kind === 'file' ? before.bytes : 0), 0);
}

/**
 * Looks at everything the swap will touch and writes down how to do and undo it. Changes nothing.
 * @throws NO_SPACE when originals must be copied and there is no room
 */
export async function prepareJournal(request: SwapRequest, clock: Clock): Promise<SwapJournal> {
  const id = newId(clock.nowMs());
  const quarantine = quarantinePath(request.stateDirectory, id);
  await makeDirectory(dirname(quarantine));
  const places = new HoldPlaces(request, quarantine);
  const requested: SwapItem[] = [];
  for (const item of request.items) if (await hasWork(item)) requested.push(item);
  const single = await isSingle(requested);
  const items: JournalItem[] = [];
  for (const [index, item] of requested.entries()) {
    items.push(await journalItem(item, index, id, single, places));
  }
  await requireFreeSpace(dirname(quarantine), copyBytesOf(items, quarantine), 'quarantine in');
  return {
    id,
    reason: request.reason,
    jobId: request.jobId,
    sourceId: request.sourceId,
    note: request.note,
    startedAt: isoTime(clock.nowMs()),
    single,
    items,
    ...(await surveyParents(requested)),
    directories: request.directories ?? [],
    holdDirectories: places.outside,
  };
}
