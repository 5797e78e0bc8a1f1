import { existsSync } from 'node:fs';
import type { Activity } from '../../kernel/activity.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { ObjectReader } from '../chunks/object-reader.ts';
import { writeKnownDamage } from '../damage/known-damage.ts';
import type { KeyMaterial } from '../encryption/key-material.ts';
import { openLayoutAs } from '../encryption/unlock.ts';
import type { Descriptor } from '../format/descriptor.ts';
import { type Layout, layoutOf, packPath } from '../layout.ts';
import { manifestFrom, readManifestFile } from '../manifests/manifest-file.ts';
import { readNotesFile, writeNotesFile } from '../manifests/notes-file.ts';
import { listSnapshotIds } from '../manifests/snapshot-list.ts';
import { makeOwnDirectories } from '../own-directories.ts';
import { PackFiles } from '../packs/pack-files.ts';
import { readPackIndex } from '../packs/pack-index.ts';
import { packOwner } from '../packs/pack-owner.ts';
import { publishFile } from '../publish-file.ts';
import { takeBackPacks } from '../reconcile/place-misnamed-pack.ts';
import { reconcile } from '../reconcile/reconcile.ts';
import { rescueTornPack } from '../reconcile/rescue-torn-pack.ts';
import { lockRepository } from '../repository-lock.ts';
import { setAside } from '../set-aside.ts';
import { descriptorOrRebuilt } from './lost-descriptor.ts';
import { MissingObjects } from './missing-objects.ts';
import { type DocumentDamage, findDocumentDamage, repairDocuments } from './repair-documents.ts';
import { type RepairedSnapshot, type RepairReport, reportedSnapshot } from './repair-report.ts';
import { LossFinder, type SnapshotLosses } from './snapshot-losses.ts';
import { isIntact, isPackSound } from './sound-pack.ts';
import { type PackSurvey, surveyPacks } from './survey-packs.ts';

export interface RepairOptions {
  readonly clock: Clock;
  readonly key?: KeyMaterial | null;
  /** Tells what can be saved, and changes nothing. */
  readonly dryRun: boolean;
  readonly lockWaitMs: number;
}

/** What is damaged and what that means, as found; nothing was changed for it. */
interface Diagnosis {
  readonly survey: PackSurvey;
  readonly documents: DocumentDamage;
  readonly losses: ReadonlyMap<string, SnapshotLosses>;
  /** Needed by a snapshot, and in no sound record. */
  readonly missing: ReadonlySet<string>;
}

const PACKS_REPORTED_MAX = 1000;
const FINDINGS_MAX = 20;

/**
 * Saves what can be saved of a damaged repository: docs/format.md, Repair. Whatever is replaced or given up is moved
 * to `set-aside/`, nothing is deleted. Stopped at any point, no snapshot is worse off, and it can be repeated.
 * @throws REPO_LOCKED, REPO_UNINITIALISED, REPO_CORRUPT, UNSUPPORTED_FORMAT, KEY_REQUIRED, KEY_WRONG
 */
export async function repairRepository(
  path: string,
  options: RepairOptions,
  activity: Activity,
): Promise<RepairReport> {
  const { descriptor, isRebuilt } = await descriptorOrRebuilt(path);
  const { layout, repositoryId } = await openLayoutAs(
    layoutOf(path, descriptor.folder),
    descriptor,
    options.key ?? null,
  );
  const repair = new Repair(layout, repositoryId, options.clock, activity, isRebuilt);
  if (options.dryRun) return repair.describe();
  const lock = await lockRepository(layout, {
    purpose: 'repair',
    lockWaitMs: options.lockWaitMs,
    clock: options.clock,
    signal: activity.signal,
  });
  try {
    await makeOwnDirectories(layout);
    if (isRebuilt) await replaceDescriptor(layout, descriptor);
    return await repair.run();
  } finally {
    lock.release();
  }
}

/** The new one under a name of its own first: there is none at all only for a moment, in which the packs tell. */
async function replaceDescriptor(layout: Layout, descriptor: Descriptor): Promise<void> {
  if (existsSync(layout.descriptor)) await setAside(layout, layout.descriptor);
  await publishFile(
    layout,
    layout.descriptor,
    Buffer.from(`${JSON.stringify(descriptor, null, 2)}\n`),
  );
}

class Repair {
  readonly #layout: Layout;
  readonly #repositoryId: string;
  readonly #clock: Clock;
  readonly #activity: Activity;
  readonly #descriptorRebuilt: boolean;

  constructor(
    layout: Layout,
    repositoryId: string,
    clock: Clock,
    activity: Activity,
    descriptorRebuilt: boolean,
  ) {
    this.#descriptorRebuilt = descriptorRebuilt;
    this.#layout = layout;
    this.#repositoryId = repositoryId;
    this.#clock = clock;
    this.#activity = activity;
  }

  async describe(): Promise<RepairReport> {
    const diagnosis = await this.#diagnose();
    try {
      return this.#report(diagnosis, true);
    } finally {
      diagnosis.survey.index.close();
    }
  }

  async run(): Promise<RepairReport> {
    const layout = this.#layout;
    await takeBackPacks(layout, this.#repositoryId, (pack) => isPackSound(layout, pack));
    const diagnosis = await this.#diagnose();
    const { survey, documents, losses, missing } = diagnosis;
    try {
      this.#activity.signal.throwIfAborted();
      this.#activity.progress({ phase: 'repair' });
      // 1. From here on nobody reads a damaged record, whatever reads the packs again.
      const records = new Map([...survey.damaged].map(([name, { bad }]) => [name, bad] as const));
      await writeKnownDamage(this.#layout, { records, missing, complete: true });
      await repairDocuments(this.#layout, documents);
      // 2. What has lost something says so before any pack is moved.
      await this.#mark(losses);
      // 3. The catalog, from what is there; then the packs.
      await this.#savePacks(survey);
      // Damaged packs are gone from `packs/`, and so nothing needs to be known of their records.
      await writeKnownDamage(this.#layout, { records: new Map(), missing, complete: true });
      return this.#report(diagnosis, false);
    } finally {
      survey.index.close();
    }
  }

  async #diagnose(): Promise<Diagnosis> {
    const survey = await surveyPacks(this.#layout, this.#repositoryId, this.#activity);
    try {
      const documents = await findDocumentDamage(this.#layout, this.#repositoryId);
      const { losses, missing } = await this.#losses(survey, documents);
      return { survey, documents, losses, missing };
    } catch (error) {
      survey.index.close();
      throw error;
    }
  }

  async #losses(survey: PackSurvey, { mendable, lostManifests }: DocumentDamage) {
    const { index } = survey;
    const files = new PackFiles(this.#layout);
    const find = (id: string) => index.find(id);
    const locator = { find, findAgain: async (id: string) => find(id) };
    const objects = new ObjectReader(locator, files, this.#layout.keys, survey.headless);
    const bad = new Set([...survey.damaged.values()].flatMap((pack) => [...pack.bad]));
    const isTouched = (id: string): boolean => {
      const pack = index.find(id)?.pack;
      return pack === undefined || survey.damaged.has(pack) || bad.has(id);
    };
    const missing = new MissingObjects(
      (id) => index.find(id) !== null,
      (id) => objects.read(id),
    );
    const finder = new LossFinder({
      holds: (id) => missing.holds(id),
      read: (id) => missing.read(id),
      isTouched,
    });
    const losses = new Map<string, SnapshotLosses>();
    const lost = new Set(lostManifests);
    const ids = listSnapshotIds(this.#layout).filter((id) => !lost.has(id));
    try {
      for (const [filesDone, id] of ids.entries()) {
        this.#activity.signal.throwIfAborted();
        this.#activity.progress({ phase: 'snapshots', filesDone, totalFiles: ids.length });
        const mended = mendable.get(id);
        const manifest =
          mended === undefined
            ? await readManifestFile(this.#layout, id)
            : manifestFrom(this.#layout, id, mended)!;
        losses.set(id, await finder.of(manifest));
      }
    } finally {
      files.close();
    }
    return { losses, missing: missing.ids };
  }

  async #mark(losses: ReadonlyMap<string, SnapshotLosses>): Promise<void> {
    const at = isoTime(this.#clock.nowMs());
    for (const [id, { parts }] of losses) {
      if (parts.length === 0) continue;
      const findings = parts
        .slice(0, FINDINGS_MAX)
        .map(({ path, chunks, bytes, isFile }) =>
          isFile ? `${path}: ${chunks} chunks, ${bytes} bytes are lost` : `${path} is lost`,
        );
      const notes = readNotesFile(this.#layout, id);
      const note = { at, level: 'deep', ok: false, findings } as const;
      await writeNotesFile(this.#layout, id, {
        ...notes,
        verifications: [...notes.verifications, note],
      });
    }
  }

  async #savePacks({ damaged }: PackSurvey): Promise<void> {
    const { signal } = this.#activity;
    // Its index may be as wrong as the packs were.
    const { catalog } = await reconcile(this.#layout, this.#repositoryId, {
      rebuild: true,
      signal,
    });
    try {
      catalog.beginLoading();
      const known = new Set(catalog.packs().map(({ name }) => name));
      for (const name of damaged.keys()) {
        // Two that stood in each other's place are put right together.
        if (!known.has(name) || (await isIntact(packPath(this.#layout, name), name))) continue;
        const owner = packOwner(this.#layout, this.#repositoryId);
        const { entries } = await readPackIndex(owner, packPath(this.#layout, name));
        catalog.dropPack(name, entries ?? []);
        await rescueTornPack(catalog, this.#layout, this.#repositoryId, name);
      }
      catalog.endLoading();
    } finally {
      catalog.close();
    }
  }

  #report({ survey, documents, losses, missing }: Diagnosis, dryRun: boolean): RepairReport {
    const snapshots: RepairedSnapshot[] = [...losses].map(([id, found]) =>
      reportedSnapshot(id, found, documents),
    );
    const packs = [...survey.damaged.values()].map(({ name, records, bad }) => ({
      name,
      records,
      recordsSaved: records - bad.size,
      recordsLost: bad.size,
    }));
    const sum = (of: (pack: (typeof packs)[number]) => number): number =>
      packs.reduce((total, pack) => total + of(pack), 0);
    const count = (state: RepairedSnapshot['state']): number =>
      snapshots.filter((snapshot) => snapshot.state === state).length;
    return {
      dryRun,
      descriptorRebuilt: this.#descriptorRebuilt,
      isWhole: missing.size === 0 && documents.lostManifests.length === 0,
      packsRead: survey.packsRead,
      readBytes: survey.readBytes,
      packsDamaged: packs.length,
      packs: packs.slice(0, PACKS_REPORTED_MAX),
      recordsSaved: sum((pack) => pack.recordsSaved),
      recordsLost: sum((pack) => pack.recordsLost),
      objectsMissing: missing.size,
      manifestsMended: [...documents.mendable.keys()],
      manifestsLost: documents.lostManifests,
      notesReplaced: documents.notes,
      keySlotsSetAside: documents.keySlots,
      snapshotsWhole: count('whole'),
      snapshotsRepaired: count('repaired'),
      snapshotsLosing: count('lost'),
      snapshots,
    };
  }
}
