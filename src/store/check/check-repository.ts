import type { Activity } from '../../kernel/activity.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import { Catalog } from '../catalog/catalog.ts';
import { listPacks } from '../catalog/load-packs.ts';
import { ObjectReader } from '../chunks/object-reader.ts';
import type { KeyMaterial } from '../encryption/key-material.ts';
import { readKeySlots } from '../encryption/key-slot-files.ts';
import { type OpenedLayout, openLayout } from '../encryption/unlock.ts';
import { compareHead } from '../head/compare-head.ts';
import type { HeadMark } from '../head/head.ts';
import type { Layout } from '../layout.ts';
import { listSnapshotIds } from '../manifests/snapshot-list.ts';
import { PackFiles } from '../packs/pack-files.ts';
import { inParallel } from '../threads/in-parallel.ts';
import { type CatalogView, checkCatalog, openCatalogView } from './check-catalog.ts';
import {
  checkMissing,
  checkPackData,
  checkPackFolder,
  checkPackIndexes,
  choosePacks,
} from './check-packs.ts';
import { checkNotes, checkSnapshots } from './check-snapshots.ts';
import { type CheckFinding, Findings } from './findings.ts';
import { FoundDamage } from './found-damage.ts';

/** One is read while another is worked on. */
const PACKS_AT_ONCE = 2;

export interface CheckOptions {
  /** Which packs are read whole: a share of them differs with every seed. */
  readonly readData: 'none' | 'all' | { readonly percent: number; readonly seed: number };
  /** Of an encrypted repository. */
  readonly key?: KeyMaterial | null;
  /** Is told of every object that is damaged or missing. */
  readonly damage?: FoundDamage;
  /** What was seen of an encrypted one before. */
  readonly seen?: HeadMark | null;
}

export interface CheckReport {
  /** No finding is an error. */
  readonly ok: boolean;
  /** The first thousand. */
  readonly findings: readonly CheckFinding[];
  readonly errors: number;
  readonly warnings: number;
  readonly snapshots: number;
  readonly trees: number;
  readonly packs: number;
  readonly packBytes: number;
  readonly packsRead: number;
  readonly readBytes: number;
  readonly chunks: number;
}

/**
 * Checks a whole repository beside whoever uses it: no lock is taken, nothing is changed, the catalog is
 * compared but not relied on. Damage is a finding, not an error.
 * @throws REPO_UNINITIALISED, UNSUPPORTED_FORMAT, KEY_REQUIRED, KEY_WRONG
 */
export async function checkRepository(
  path: string,
  options: CheckOptions,
  activity: Activity,
): Promise<CheckReport> {
  const findings = new Findings();
  const { damage = new FoundDamage() } = options;
  const opened = await openOrFind(path, options.key ?? null, findings);
  if (opened === null) return reportOf(findings, {});
  const { layout, repositoryId: id } = opened;
  const index = Catalog.temporary(id);
  const files = new PackFiles(layout);
  let view: CatalogView | null = null;
  try {
    // In this order: a running writer publishes packs, then their rows, then manifests.
    view = openCatalogView(layout, id, findings);
    const snapshots = listSnapshotIds(layout);
    const names = await listPacks(layout);
    await checkPackFolder(layout, findings);
    const { packBytes, unreadable } = await checkPackIndexes(
      names,
      layout,
      id,
      index,
      findings,
      activity,
    );
    const objects = new ObjectReader(
      { find: (object) => index.find(object), findAgain: async (object) => index.find(object) },
      files,
      layout.keys,
    );
    const chosen = choosePacks(names, options.readData);
    const ofData = new Findings();
    // Threads read the data while this one goes through the snapshots; told of in the same order whoever is first.
    const readingData = readPacks(chosen, layout, id, objects, index, ofData, activity, damage);
    const walking = chosen.length === 0 ? activity : { ...activity, progress: () => {} };
    const checkingRest = (async () => {
      const { trees } = await checkSnapshots(
        snapshots,
        layout,
        index,
        objects,
        findings,
        walking,
        damage,
      );
      checkMissing(damage.missing, unreadable, layout, findings);
      await checkNotes(snapshots, layout, findings);
      await checkKeySlots(layout, id, findings);
      await checkHead(layout, id, options.seen ?? null, findings);
      if (view !== null) await checkCatalog(view, names, index, files, findings, walking);
      return trees;
    })();
    // Nothing is closed under the other when one fails.
    await Promise.allSettled([readingData, checkingRest]);
    const [readBytes, trees] = [await readingData, await checkingRest];
    findings.addAll(ofData);
    return reportOf(findings, {
      snapshots: snapshots.length,
      trees,
      packs: names.length,
      packBytes,
      packsRead: chosen.length,
      readBytes,
      chunks: index.counts().chunks,
    });
  } finally {
    view?.catalog.close();
    files.close();
    index.close();
  }
}

async function openOrFind(
  path: string,
  key: KeyMaterial | null,
  findings: Findings,
): Promise<OpenedLayout | null> {
  try {
    return await openLayout(path, key);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'REPO_CORRUPT') throw error;
    findings.error('DESCRIPTOR_DAMAGED', error.message, 'holdfast.json');
    return null;
  }
}

/** One key opens it, or nothing would have been checked; the others should too. */
async function checkKeySlots(layout: Layout, id: string, findings: Findings): Promise<void> {
  if (layout.keys === null) return;
  for (const file of (await readKeySlots(layout, id)).unreadable) {
    const message = 'it is no key slot of this repository; a key may have stopped to open it';
    findings.warning('KEY_SLOT_DAMAGED', message, `keys/${file}`);
  }
}

/** What is damaged was told already: that it is not what it was says nothing more. */
async function checkHead(
  layout: Layout,
  id: string,
  seen: HeadMark | null,
  findings: Findings,
): Promise<void> {
  const damaged = new Set(findings.list.map(({ path }) => path));
  for (const { severity, code, message, path } of await compareHead(layout, id, seen)) {
    if (!damaged.has(path)) findings[severity](code, message, path);
  }
}

async function readPacks(
  names: readonly string[],
  layout: Layout,
  repositoryId: string,
  objects: ObjectReader,
  index: Catalog,
  findings: Findings,
  activity: Activity,
  damage: FoundDamage,
): Promise<number> {
  let readBytes = 0;
  let filesDone = 0;
  activity.progress({ phase: 'data', filesDone, totalFiles: names.length });
  await inParallel(names, PACKS_AT_ONCE, async (name) => {
    activity.signal.throwIfAborted();
    // Not "+= await": that would add to what the sum was before the wait, and lose what others added meanwhile.
    const packBytes = await checkPackData(
      name,
      layout,
      repositoryId,
      objects,
      index,
      findings,
      damage,
    );
    readBytes += packBytes;
    filesDone += 1;
    activity.progress({ phase: 'data', filesDone, totalFiles: names.length });
  });
  return readBytes;
}

type Counts = Omit<CheckReport, 'ok' | 'findings' | 'errors' | 'warnings'>;

function reportOf(findings: Findings, counts: Partial<Counts>): CheckReport {
  return {
    ok: findings.errors === 0,
    findings: findings.list,
    errors: findings.errors,
    warnings: findings.warnings,
    snapshots: 0,
    trees: 0,
    packs: 0,
    packBytes: 0,
    packsRead: 0,
    readBytes: 0,
    chunks: 0,
    ...counts,
  };
}
