import { chmod, lchown, lutimes, mkdir, open, symlink, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { removeDurably, syncDirectory, syncFile } from '../files/durable.ts';
import { durableStep } from '../files/durable-steps.ts';
import { utimeSeconds } from '../files/entry-identity.ts';
import { SIDECAR_SUFFIXES } from '../files/family-members.ts';
import { ParallelWork } from '../files/parallel-work.ts';
import type { SwapDirectory, SwapItem } from '../files/swap/swap.ts';
import { SyncBatch } from '../files/sync-batch.ts';
import { WriteBehind } from '../files/write-behind.ts';
import type { Activity } from '../kernel/activity.ts';
import { cannot, systemCode } from '../kernel/errors.ts';
import { checkDatabase } from '../sqlite/database-check.ts';
import type { Content } from '../store/chunks/content.ts';
import { extractContent } from '../store/chunks/extract-content.ts';
import type { StoreReader } from '../store/store.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import { provenDatabases } from './proven-databases.ts';
import type { PlannedEntry, RestorePlan, RestoreRequest } from './restore-request.ts';
import { metadataOf } from './restored-metadata.ts';
import { isSmall, writeSmallFile } from './write-small-file.ts';

/** A restore, extracted beside its target: everything that can fail slowly has been done. */
export interface StagedRestore {
  readonly items: readonly SwapItem[];
  /** Modes, owners and times that directories get at the end. */
  readonly directories: readonly SwapDirectory[];
  readonly checked: readonly { readonly path: string; readonly ok: boolean }[];
  readonly bytesWritten: number;
}

/** Where the snapshot's entries are put until they are swapped in. */
interface Stage {
  readonly reader: StoreReader;
  readonly activity: Activity;
  readonly check: 'none' | 'quick' | 'full';
  /** Owners come back too. */
  readonly owners: boolean;
  readonly onDatabaseStaged?: RestoreRequest['onDatabaseStaged'];
  /** Logical paths of the databases whose image has passed this check before. */
  readonly proven: ReadonlySet<string>;
}

/** Read ahead of each other; larger ones are decoded on threads. */
const SMALL_FILES_AT_ONCE = 32;
/** Syncs that wait for the medium together are written by it together. */
const SYNCS_AT_ONCE = 32;

const isWritten = ({ action }: PlannedEntry): boolean =>
  action === 'create' || action === 'overwrite';

async function writeContent(
  path: string,
  content: Content,
  entry: TreeEntry,
  stage: Stage,
  onBytes: (bytes: number) => void,
): Promise<void> {
  // A name that exists already is the same name to this file system: two entries that differ in case, say.
  const handle = await open(path, 'wx', 0o600).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error;
    throw cannot('PATH_UNSAFE', 'restore', path, 'the file system takes two names for the same');
  });
  try {
    const behind = new WriteBehind(handle);
    await extractContent(stage.reader, content, handle, stage.activity, (bytes) => {
      onBytes(bytes);
      behind.wrote(bytes);
    });
    await behind.settle();
    const { size } = await handle.stat();
    if (size !== content.bytes) {
      throw cannot(
        'VERIFY_FAILED',
        'restore',
        entry.name,
        `it is ${size} bytes, not ${content.bytes}`,
      );
    }
    await syncFile(handle, path);
  } finally {
    await handle.close();
  }
}

/** A database is checked as it was staged, by its own name: nobody else knows it. */
async function checkStaged(path: string, planned: PlannedEntry, stage: Stage): Promise<void> {
  if (stage.check === 'none' || stage.proven.has(planned.logicalPath)) return;
  const { ok, messages, outcome } = checkDatabase(path, stage.check);
  for (const suffix of SIDECAR_SUFFIXES) {
    // SQLite removes them as it closes, unless the check failed half-way.
    if (ok) await removeDurably(`${path}${suffix}`);
  }
  if (ok) return;
  throw cannot('VERIFY_FAILED', 'restore database', planned.logicalPath, messages[0] ?? outcome, {
    hint: 'Nothing was replaced. Restore an older snapshot, or use check "none" to get the damaged file as it is.',
    details: { path: planned.logicalPath, outcome, messages: messages.slice(0, 20) },
  });
}

/** Mode, owner and time of something staged. The owner comes first, since changing it may clear mode bits. */
async function applyMetadata(path: string, entry: TreeEntry, owners: boolean): Promise<void> {
  const { mode, owner, mtimeNs } = metadataOf(entry, owners);
  const mtime = utimeSeconds(mtimeNs);
  if (owner !== null) await lchown(path, owner.uid, owner.gid);
  if (entry.type === 'symlink') {
    await lutimes(path, mtime, mtime);
    return;
  }
  await chmod(path, mode);
  await utimes(path, mtime, mtime);
}

async function stageEntry(
  path: string,
  planned: PlannedEntry,
  stage: Stage,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { entry } = planned;
  if (entry.type === 'directory') {
    // Private, and writable, until its own mode is set at the very end.
    await mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
      if (systemCode(error) !== 'EEXIST') throw error;
      throw cannot('PATH_UNSAFE', 'restore', path, 'the file system takes two names for the same');
    });
    return;
  }
  if (entry.type === 'symlink') {
    await durableStep('symlink', path, () => symlink(entry.target, path));
  } else {
    await writeContent(path, entry.content, entry, stage, onBytes);
    if (entry.type === 'database') {
      await checkStaged(path, planned, stage);
      await stage.onDatabaseStaged?.(planned.logicalPath, path);
    }
  }
  await applyMetadata(path, entry, stage.owners);
  if (entry.type !== 'symlink') await syncMetadata(path);
}

/** Times and modes set by name are made durable through the file. */
async function syncMetadata(path: string): Promise<void> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    // A mode without the right to read: the content was synced before.
    if (systemCode(error) === 'EACCES') return null;
    throw error;
  });
  if (handle === null) return;
  try {
    await syncFile(handle, path);
  } finally {
    await handle.close();
  }
}

/** In any order: none of their names counts before the swap, and by then all of them are synced. */
async function syncStagedDirectories(directories: Iterable<string>): Promise<void> {
  const syncs = new ParallelWork(SYNCS_AT_ONCE);
  try {
    for (const directory of directories) await syncs.add(() => syncDirectory(directory));
    await syncs.settle();
  } finally {
    await syncs.idle();
  }
}

/** Directories whose own mode and time are to be set: new ones, changed ones, and those something is put into. */
function directoryMetadata(
  { entries, deletions, madeDirectories }: RestorePlan,
  owners: boolean,
): SwapDirectory[] {
  const changed = [...entries.filter(isWritten), ...deletions];
  const filled = new Set(changed.map(({ target }) => dirname(target)));
  const known = entries
    .filter(({ type, isRoot }) => type === 'directory' && !isRoot)
    .filter((planned) => {
      return isWritten(planned) || (planned.setsMetadata && filled.has(planned.target));
    })
    .map(({ target, entry }) => ({ path: target, ...metadataOf(entry, owners) }));
  const made = madeDirectories.map((directory) => ({ ...directory, owner: null, mtimeNs: null }));
  return [...made, ...known];
}

/** Puts the entries of a plan beside their targets; small files many at a time. */
class Staging {
  readonly items: SwapItem[] = [];
  readonly checked: { path: string; ok: boolean }[] = [];
  /** Directories that got a name. */
  readonly touched = new Set<string>();
  bytesWritten = 0;
  readonly #stage: Stage;
  readonly #stagingOf: (target: string) => Promise<string>;
  readonly #stagedDirectories = new Map<string, string>();
  readonly #smallFiles = new ParallelWork(SMALL_FILES_AT_ONCE);
  readonly #smallSyncs = new SyncBatch();
  #filesDone = 0;

  constructor(stage: Stage, stagingOf: (target: string) => Promise<string>) {
    this.#stage = stage;
    this.#stagingOf = stagingOf;
  }

  async addAll(entries: readonly PlannedEntry[]): Promise<void> {
    const { activity } = this.#stage;
    try {
      for (const planned of entries) {
        activity.signal.throwIfAborted();
        activity.progress({ currentFile: planned.logicalPath });
        if (planned.type !== 'directory' || !planned.setsMetadata) await this.#add(planned);
      }
      await this.#smallFiles.settle();
      await this.#smallSyncs.settle();
    } finally {
      // Nothing may write any more when the caller removes what was staged.
      await this.#smallFiles.idle();
      await this.#smallSyncs.idle();
    }
  }

  async #add(planned: PlannedEntry): Promise<void> {
    const { entry, target } = planned;
    const path = await this.#placeOf(planned);
    if (entry.type === 'directory') {
      this.#stagedDirectories.set(target, path);
      this.touched.add(path);
    }
    this.touched.add(dirname(path));
    if (entry.type === 'file' && isSmall(entry.content)) {
      const { reader, owners } = this.#stage;
      await this.#smallFiles.add(async () => {
        await this.#smallSyncs.add(await writeSmallFile(path, entry, reader, owners), path);
        this.#count(entry.content.bytes);
        this.#done();
      });
      return;
    }
    await stageEntry(path, planned, this.#stage, (bytes) => this.#count(bytes));
    if (entry.type === 'database' && this.#stage.check !== 'none') {
      this.checked.push({ path: planned.logicalPath, ok: true });
    }
    this.#done();
  }

  async #placeOf({ target, family }: PlannedEntry): Promise<string> {
    const parent = this.#stagedDirectories.get(dirname(target));
    if (parent !== undefined) return join(parent, basename(target));
    const staged = join(await this.#stagingOf(target), String(this.items.length));
    this.items.push({ target, staged, family });
    return staged;
  }

  #count(bytes: number): void {
    this.bytesWritten += bytes;
    this.#stage.activity.progress({ bytesDone: this.bytesWritten });
  }

  #done(): void {
    this.#filesDone += 1;
    this.#stage.activity.progress({ filesDone: this.#filesDone });
  }
}

/**
 * Extracts everything the plan writes into `stagingOf(target)` directories, each on its target's file system.
 * Every chunk is hashed, every file synced, every database checked that was not checked as deeply when it was captured.
 * @throws VERIFY_FAILED, REPO_CORRUPT, PATH_UNSAFE, system errors such as ENOSPC
 */
export async function stageRestore(
  plan: RestorePlan,
  stagingOf: (target: string) => Promise<string>,
  stage: Omit<Stage, 'proven'>,
): Promise<StagedRestore> {
  const writes = plan.entries.filter(isWritten);
  stage.activity.progress({
    phase: 'stage',
    filesDone: 0,
    totalFiles: writes.length,
    bytesDone: 0,
    totalBytes: plan.totals.bytes,
  });
  const { reader, check } = stage;
  const proven =
    check === 'none'
      ? new Set<string>()
      : provenDatabases(await reader.readManifest(plan.snapshotId), check);
  const staging = new Staging({ ...stage, proven }, stagingOf);
  await staging.addAll(writes);
  await syncStagedDirectories(staging.touched);
  const { items, checked, bytesWritten } = staging;
  for (const { target, family, insideDeleted } of plan.deletions) {
    if (!insideDeleted) items.push({ target, staged: null, family });
  }
  const directories = directoryMetadata(plan, stage.owners);
  return { items, directories, checked, bytesWritten };
}
