import { chmod, lchown, lutimes, mkdir, open, symlink, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { removeDurably, syncDirectory, syncFile } from '../files/durable.ts';
import { durableStep } from '../files/durable-steps.ts';
import { utimeSeconds } from '../files/entry-identity.ts';
import { SIDECAR_SUFFIXES } from '../files/family-members.ts';
import type { SwapDirectory, SwapItem } from '../files/swap/swap.ts';
import type { Activity } from '../kernel/activity.ts';
import { cannot, systemCode } from '../kernel/errors.ts';
import { checkDatabase } from '../sqlite/database-check.ts';
import type { Content } from '../store/chunks/content.ts';
import { extractContent } from '../store/chunks/extract-content.ts';
import type { StoreReader } from '../store/store.ts';
import type { TreeEntry } from '../store/trees/tree-entry.ts';
import type { PlannedEntry, RestorePlan } from './restore-request.ts';
import { metadataOf } from './restored-metadata.ts';

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
}

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
    await extractContent(stage.reader, content, handle, stage.activity, onBytes);
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
  if (stage.check === 'none') return;
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
    if (entry.type === 'database') await checkStaged(path, planned, stage);
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

/** Longest first, so that a directory is synced after those in it. */
async function syncStagedDirectories(directories: Iterable<string>): Promise<void> {
  const deepestFirst = [...directories].sort((left, right) => right.length - left.length);
  for (const directory of deepestFirst) await syncDirectory(directory);
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

/**
 * Extracts everything the plan writes into `stagingOf(target)` directories, each on its target's file system.
 * Every chunk is hashed, every file synced, every database checked.
 * @throws VERIFY_FAILED, REPO_CORRUPT, PATH_UNSAFE, system errors such as ENOSPC
 */
export async function stageRestore(
  plan: RestorePlan,
  stagingOf: (target: string) => Promise<string>,
  stage: Stage,
): Promise<StagedRestore> {
  const { activity } = stage;
  const writes = plan.entries.filter(isWritten);
  const items: SwapItem[] = [];
  const checked: { path: string; ok: boolean }[] = [];
  const stagedDirectories = new Map<string, string>();
  const touched = new Set<string>();
  let bytesWritten = 0;
  let filesDone = 0;
  activity.progress({
    phase: 'stage',
    filesDone,
    totalFiles: writes.length,
    bytesDone: 0,
    totalBytes: plan.totals.bytes,
  });
  for (const planned of writes) {
    activity.signal.throwIfAborted();
    activity.progress({ currentFile: planned.logicalPath });
    if (planned.type === 'directory' && planned.setsMetadata) continue;
    const parent = stagedDirectories.get(dirname(planned.target));
    const path =
      parent === undefined
        ? join(await stagingOf(planned.target), String(items.length))
        : join(parent, basename(planned.target));
    await stageEntry(path, planned, stage, (bytes) => {
      bytesWritten += bytes;
      activity.progress({ bytesDone: bytesWritten });
    });
    if (planned.type === 'directory') {
      stagedDirectories.set(planned.target, path);
      touched.add(path);
    }
    touched.add(dirname(path));
    if (parent === undefined) {
      items.push({ target: planned.target, staged: path, family: planned.family });
    }
    if (planned.type === 'database' && stage.check !== 'none') {
      checked.push({ path: planned.logicalPath, ok: true });
    }
    filesDone += 1;
    activity.progress({ filesDone });
  }
  await syncStagedDirectories(touched);
  for (const { target, family, insideDeleted } of plan.deletions) {
    if (!insideDeleted) items.push({ target, staged: null, family });
  }
  const directories = directoryMetadata(plan, stage.owners);
  return { items, directories, checked, bytesWritten };
}
