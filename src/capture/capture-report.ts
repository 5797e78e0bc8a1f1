import type { Activity } from '../kernel/activity.ts';
import type { LineCounts, SkipReason, SkipRecord } from '../store/manifests/manifest.ts';
import type { ContentSource } from '../store/store.ts';
import type { FileEntry } from '../store/trees/tree-entry.ts';

const SKIPS_MAX = 1_000;
const WARNINGS_MAX = 100;
const NOTES_MAX = 100;
const CHANGED_FILES_MAX = 1_000;
const COUNTED_FILES_MAX = 1_000;

/** Skips that mean that something the operator expects in the snapshot is not there. */
const LOSSES: ReadonlySet<SkipReason> = new Set(['unreadable', 'name-not-utf8', 'path-too-long']);

/** What a capture counts and has to say; every list is bounded. */
export class CaptureReport {
  files = 0;
  directories = 0;
  symlinks = 0;
  databases = 0;
  totalBytes = 0;
  readBytes = 0;
  skippedCount = 0;
  /** All skips, by why. */
  readonly skippedByReason: Partial<Record<SkipReason, number>> = {};
  readonly skipped: SkipRecord[] = [];
  /** What is no fault, but worth knowing. */
  readonly notes: string[] = [];
  readonly changedWhileReading: string[] = [];
  readonly lineCounts = {
    files: 0,
    lines: 0,
    partial: 0,
    items: [] as LineCounts['items'][number][],
  };
  readonly #warnings: string[] = [];
  /** The first thing that could not be captured, if any. */
  firstLoss: SkipRecord | null = null;
  #losses = 0;
  readonly #activity: Activity;
  #filesDone = 0;

  constructor(activity: Activity) {
    this.#activity = activity;
  }

  skip(record: SkipRecord): void {
    this.skippedCount += 1;
    this.skippedByReason[record.reason] = (this.skippedByReason[record.reason] ?? 0) + 1;
    if (LOSSES.has(record.reason)) {
      this.#losses += 1;
      this.firstLoss ??= record;
    }
    if (this.skipped.length < SKIPS_MAX) this.skipped.push(record);
  }

  warn(message: string): void {
    if (this.#warnings.length < WARNINGS_MAX) this.#warnings.push(message);
  }

  note(message: string): void {
    if (this.notes.length < NOTES_MAX) this.notes.push(message);
  }

  /** A file whose lines were counted, now or for an earlier snapshot. */
  counted(path: string, { lines, endsPartial }: Pick<FileEntry, 'lines' | 'endsPartial'>): void {
    if (lines === undefined) return;
    const partial = endsPartial === true;
    const counts = this.lineCounts;
    counts.files += 1;
    counts.lines += lines;
    if (partial) {
      counts.partial += 1;
      this.note(`${path} ends in the middle of a line`);
    }
    if (counts.items.length < COUNTED_FILES_MAX) counts.items.push({ path, lines, partial });
  }

  changed(logicalPath: string): void {
    if (this.changedWhileReading.length < CHANGED_FILES_MAX) {
      this.changedWhileReading.push(logicalPath);
    }
  }

  warnings(): string[] {
    const warnings = [...this.#warnings];
    if (this.#losses > 0) {
      warnings.push(`${this.#losses} entries could not be captured: see the skipped files`);
    }
    if (this.changedWhileReading.length > 0) {
      warnings.push(`${this.changedWhileReading.length} files changed while they were read`);
    }
    return warnings;
  }

  /** One file or database is done, whether it was read or not. */
  fileDone(bytes: number): void {
    this.totalBytes += bytes;
    this.#filesDone += 1;
    this.#activity.progress({ filesDone: this.#filesDone, bytesDone: this.totalBytes });
  }

  /** The source, its bytes counted as they are read. */
  metered(source: ContentSource): ContentSource {
    return {
      bytes: source.bytes,
      read: async (offset, lengthBytes, into) => {
        const bytes = await source.read(offset, lengthBytes, into);
        this.readBytes += bytes.length;
        this.#activity.progress({ bytesDone: this.totalBytes + offset + bytes.length });
        return bytes;
      },
    };
  }
}
