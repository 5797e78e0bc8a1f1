import { z } from 'zod';
import { FileSelection, type ListedEntry, type Listing } from '../capture/select-files.ts';
import { assertRootsUsable, type SelectedRoot, selectRoots } from '../capture/select-roots.ts';
import { rulesOf } from '../capture/selection-rules.ts';
import type { SourceSettings } from '../config/settings.ts';
import type { Activity } from '../kernel/activity.ts';
import { startsAsDatabase } from '../sqlite/discover.ts';
import { isSidecarName } from '../sqlite/family.ts';
import type { SkipReason } from '../store/manifests/manifest.ts';
import { type Operation, ownPaths, requireSource } from './operation.ts';

const parameters = z.strictObject({ sourceId: z.string() });

interface Amount {
  readonly files: number;
  readonly bytes: number;
}

/** Files listed by name; all of them are counted. */
const LISTED_MAX = 1000;

/** What a source's rules take, and what they leave out and why: nothing under the roots goes without a word. */
class CoverageReport {
  #captured: Amount = { files: 0, bytes: 0 };
  readonly #left = new Map<SkipReason, Amount>();
  readonly items: { path: string; reason: SkipReason; bytes: number }[] = [];
  #databases = 0;

  capture(bytes: number, isDatabase: boolean): void {
    this.#captured = { files: this.#captured.files + 1, bytes: this.#captured.bytes + bytes };
    if (isDatabase) this.#databases += 1;
  }

  leave(path: string, reason: SkipReason, bytes: number): void {
    const known = this.#left.get(reason) ?? { files: 0, bytes: 0 };
    this.#left.set(reason, { files: known.files + 1, bytes: known.bytes + bytes });
    if (this.items.length < LISTED_MAX) this.items.push({ path, reason, bytes });
  }

  get files(): number {
    return this.#captured.files + this.leftFiles;
  }

  get leftFiles(): number {
    return [...this.#left.values()].reduce((sum, { files }) => sum + files, 0);
  }

  result(source: SourceSettings, unmatchedIncludes: readonly string[]): Record<string, unknown> {
    return {
      sourceId: source.id,
      captured: { ...this.#captured, databases: this.#databases },
      notCaptured: { files: this.leftFiles, byReason: Object.fromEntries(this.#left) },
      items: this.items,
      truncated: this.leftFiles > this.items.length,
      unmatchedIncludes,
    };
  }
}

/** Walks the roots of one source twice: by its rules, and where they leave a directory out, without them. */
class CoverageWalk {
  readonly report = new CoverageReport();
  readonly #ruled: FileSelection;
  readonly #open: FileSelection;
  readonly #source: SourceSettings;
  readonly #activity: Activity;

  constructor(
    source: SourceSettings,
    ruled: FileSelection,
    open: FileSelection,
    activity: Activity,
  ) {
    this.#source = source;
    this.#ruled = ruled;
    this.#open = open;
    this.#activity = activity;
  }

  async directory(path: string, logicalPath: string): Promise<void> {
    this.#activity.signal.throwIfAborted();
    this.#activity.progress({ currentFile: logicalPath, filesDone: this.report.files });
    const listing = await this.#ruled.list(path, logicalPath);
    if (listing.failure !== null) this.report.leave(logicalPath, listing.failure.reason, 0);
    const names = new Set(listing.entries.map(({ name }) => name));
    for (const entry of listing.entries) {
      if (entry.kind === 'directory') await this.directory(entry.path, entry.logicalPath);
      else this.#file(entry, names);
    }
    await this.#leftOut(path, logicalPath, listing);
  }

  #file(entry: ListedEntry, names: ReadonlySet<string>): void {
    const bytes = Number(entry.stat.size);
    const sidecar = entry.kind === 'file' ? isSidecarName(entry.name) : null;
    // Its content is in the snapshot of the database that it belongs to.
    if (sidecar !== null && names.has(sidecar.main)) return;
    const isDatabase = entry.kind === 'file' && startsAsDatabase(entry.path);
    const { maxFileBytes } = this.#source;
    if (!isDatabase && maxFileBytes !== null && bytes > maxFileBytes) {
      this.report.leave(entry.logicalPath, 'too-large', bytes);
    } else this.report.capture(bytes, isDatabase);
  }

  /** What the rules skipped here, with everything that is in it. */
  async #leftOut(path: string, logicalPath: string, { skips }: Listing): Promise<void> {
    const byRule = new Map(
      skips
        .filter(({ reason }) => reason === 'excluded' || reason === 'not-included')
        .map((record) => [record.path, record.reason]),
    );
    for (const { path: skipped, reason } of skips) {
      // Other roots are walked on their own; our own files are nobody's business.
      if (byRule.has(skipped) || reason === 'other-root' || reason === 'own-files') continue;
      this.report.leave(skipped, reason, 0);
    }
    if (byRule.size === 0) return;
    for (const entry of (await this.#open.list(path, logicalPath)).entries) {
      const reason = byRule.get(entry.logicalPath);
      if (reason === undefined) continue;
      if (entry.kind === 'directory') await this.#all(entry.path, entry.logicalPath, reason);
      else this.report.leave(entry.logicalPath, reason, Number(entry.stat.size));
    }
  }

  async #all(path: string, logicalPath: string, reason: SkipReason): Promise<void> {
    this.#activity.signal.throwIfAborted();
    for (const entry of (await this.#open.list(path, logicalPath)).entries) {
      if (entry.kind === 'directory') await this.#all(entry.path, entry.logicalPath, reason);
      else this.report.leave(entry.logicalPath, reason, Number(entry.stat.size));
    }
  }
}

/** Which files under the roots of a source are in no snapshot of it. Changes nothing. */
export const coverage: Operation<z.infer<typeof parameters>> = {
  kind: 'coverage',
  params: parameters,
  async run({ activity, settings }, { sourceId }) {
    const source = requireSource(settings, sourceId);
    const roots: SelectedRoot[] = await selectRoots(source.roots);
    const forbiddenPaths = ownPaths(settings);
    assertRootsUsable(roots, forbiddenPaths);
    const ruled = await FileSelection.create({ ...rulesOf(source), forbiddenPaths, roots });
    const open = await FileSelection.create({ exclude: [], include: [], forbiddenPaths, roots });
    const walk = new CoverageWalk(source, ruled, open, activity);
    activity.progress({ phase: 'walk', filesDone: 0 });
    for (const root of roots) {
      if (root.stat !== null && root.sameAs === null) await walk.directory(root.path, root.prefix);
    }
    return walk.report.result(source, ruled.unmatchedIncludes);
  },
};
