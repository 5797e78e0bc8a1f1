import { isUtf8 } from 'node:buffer';
import type { ManifestDatabase, SkipRecord } from '../store/manifests/manifest.ts';
import type { DatabaseEntry, FileEntry, TreeEntry } from '../store/trees/tree-entry.ts';
import { captureDatabases } from './capture-databases.ts';
import { type CapturedFile, captureFile, isSmall, ownership } from './capture-file.ts';
import type { CapturedDatabase, DatabaseContext } from './database-task.ts';
import { contentOf, foundDatabase, isSidecarOf } from './find-databases.ts';
import type { ParentDirectory } from './parent-snapshot.ts';
import { type FileSelection, type ListedEntry, skip } from './select-files.ts';
import { SmallFiles } from './small-files.ts';

/**
 * Walks the roots again, after the databases were captured, and stores files and directories from the bottom up.
 * One directory of each level is in memory at a time.
 */
export class TreeCapture {
  /** Records of the databases that the trees hold, in the order of the walk. */
  readonly databases: ManifestDatabase[] = [];
  readonly #selection: FileSelection;
  readonly #context: DatabaseContext;
  readonly #captured: Map<string, CapturedDatabase>;

  constructor(
    selection: FileSelection,
    captured: ReadonlyMap<string, CapturedDatabase>,
    context: DatabaseContext,
  ) {
    this.#selection = selection;
    this.#captured = new Map(captured);
    this.#context = context;
  }

  /** @returns the id of the tree object; null when the directory cannot be listed, which is then reported */
  async writeDirectory(
    directory: string,
    logicalPath: string,
    before: ParentDirectory,
  ): Promise<string | null> {
    const { activity, report, writer } = this.#context;
    activity.signal.throwIfAborted();
    const listing = await this.#selection.list(directory, logicalPath);
    for (const record of listing.skips) report.skip(record);
    if (listing.failure !== null) {
      report.skip(listing.failure);
      return null;
    }
    const entries: TreeEntry[] = [];
    const databases = new Set<string>();
    const files = new SmallFiles(
      listing.entries,
      (listed) => isSmall(listed) && this.#mustBeRead(listed, before),
      (listed) => captureFile(listed, contentOf(before.get(listed.name)), this.#context),
    );
    for (const [index, listed] of listing.entries.entries()) {
      if (listed.kind === 'file' && isSidecarOf(listed.name, databases)) {
        report.skip(skip(listed.logicalPath, 'database-sidecar'));
        continue;
      }
      const entry = await this.#capture(listed, before, await files.take(index));
      if (entry === null) continue;
      if ('reason' in entry) {
        report.skip(entry);
        continue;
      }
      if (entry.type === 'database') databases.add(entry.name);
      entries.push(entry);
    }
    if (before.tree !== null && before.consistsOf(entries)) return before.tree;
    return writer.writeTree(entries, before.tree);
  }

  /** @returns null for what is left out and already reported */
  async #capture(
    listed: ListedEntry,
    before: ParentDirectory,
    read: CapturedFile | undefined,
  ): Promise<TreeEntry | SkipRecord | null> {
    const { report } = this.#context;
    if (listed.kind === 'directory') {
      const children = await before.directory(listed.name);
      const tree = await this.writeDirectory(listed.path, listed.logicalPath, children);
      if (tree === null) return null;
      report.directories += 1;
      return asKnown(before.get(listed.name), {
        type: 'directory',
        name: listed.name,
        ...ownership(listed.stat),
        tree,
      });
    }
    const known = before.get(listed.name);
    if (listed.kind === 'symlink') return this.#symlink(listed, known);
    const captured = this.#captured.get(listed.path);
    return captured === undefined
      ? this.#file(listed, known, read)
      : this.#database(listed, captured);
  }

  /** An ordinary file that is not as the parent has it. */
  #mustBeRead(listed: ListedEntry, before: ParentDirectory): boolean {
    if (listed.kind !== 'file' || this.#captured.has(listed.path)) return false;
    return !this.#isUnchanged(listed, before.get(listed.name));
  }

  #isUnchanged(listed: ListedEntry, known: TreeEntry | undefined): known is FileEntry {
    const { parent, fileBytesMax, countsLines } = this.#context;
    const isBounded = fileBytesMax === null || listed.stat.size <= fileBytesMax;
    if (!isBounded || known?.type !== 'file' || !parent.isUnchanged(known, listed.stat))
      return false;
    // What a snapshot of before did not count is counted once.
    return countsLines(listed.logicalPath) === (known.lines !== undefined);
  }

  #symlink(listed: ListedEntry, known: TreeEntry | undefined): TreeEntry | SkipRecord {
    const { name, logicalPath, stat, target = Buffer.alloc(0) } = listed;
    if (!isUtf8(target)) return skip(logicalPath, 'name-not-utf8', target.toString('hex'));
    this.#context.report.symlinks += 1;
    const entry = { name, ...ownership(stat), target: target.toString() };
    return asKnown(known, { type: 'symlink', ...entry });
  }

  async #file(
    listed: ListedEntry,
    known: TreeEntry | undefined,
    read: CapturedFile | undefined,
  ): Promise<TreeEntry | SkipRecord | null> {
    const { report, activity } = this.#context;
    if (read === undefined && this.#isUnchanged(listed, known)) {
      report.files += 1;
      report.fileDone(known.content.bytes);
      report.counted(listed.logicalPath, known);
      return asKnown(known, { ...known, ...ownership(listed.stat) });
    }
    activity.progress({ currentFile: listed.logicalPath });
    const result = read ?? (await captureFile(listed, contentOf(known), this.#context));
    if (result.kind === 'skipped') return result.skip;
    if (result.kind === 'database') return this.#lateDatabase(listed, known);
    report.files += 1;
    report.fileDone(result.entry.content.bytes);
    report.counted(listed.logicalPath, result.entry);
    if (result.entry.changedWhileReading === true) report.changed(listed.logicalPath);
    return result.entry;
  }

  #database(listed: ListedEntry, captured: CapturedDatabase): DatabaseEntry {
    const { report } = this.#context;
    const { content, record } = captured;
    report.databases += 1;
    report.fileDone(content.bytes);
    this.databases.push(record);
    return { type: 'database', name: listed.name, ...ownership(listed.stat), content };
  }

  /** A database that was not there, or not known as one, when the others were pinned is as of a moment of its own. */
  async #lateDatabase(
    listed: ListedEntry,
    known: TreeEntry | undefined,
  ): Promise<DatabaseEntry | SkipRecord> {
    const found = foundDatabase(listed, known);
    const { captured } = await captureDatabases([found], this.#context);
    const database = captured.get(listed.path);
    if (database === undefined) return skip(listed.logicalPath, 'vanished');
    this.#context.report.warn(
      `${listed.logicalPath} was found to be a database when the others were captured already: it is newer`,
    );
    return this.#database(listed, database);
  }
}

/** The parent's own entry where the new one is the same, so that a directory of such entries is the parent's too. */
function asKnown(known: TreeEntry | undefined, entry: TreeEntry): TreeEntry {
  if (known === undefined) return entry;
  const isSame =
    known.mode === entry.mode &&
    known.uid === entry.uid &&
    known.gid === entry.gid &&
    known.mtimeNs === entry.mtimeNs &&
    hasSameSubstance(known, entry);
  return isSame ? known : entry;
}

function hasSameSubstance(known: TreeEntry, entry: TreeEntry): boolean {
  if (known.type === 'directory') return entry.type === 'directory' && known.tree === entry.tree;
  if (known.type === 'symlink') return entry.type === 'symlink' && known.target === entry.target;
  // A file that was not read: the entry was made from the known one.
  return known.type === 'file' && entry.type === 'file' && known.content === entry.content;
}
