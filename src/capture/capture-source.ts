import { arch, hostname, platform } from 'node:os';
import picomatch from 'picomatch';
import { rootPrefix } from '../config/root-paths.ts';
import type { SourceSettings } from '../config/settings.ts';
import type { Activity } from '../kernel/activity.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import type {
  Manifest,
  ManifestRoot,
  SnapshotOrigin,
  SnapshotStatistics,
  SnapshotType,
} from '../store/manifests/manifest.ts';
import type { StoreWriter, WriterStatistics } from '../store/store.ts';
import { captureDatabases } from './capture-databases.ts';
import { CaptureReport } from './capture-report.ts';
import type { DatabaseContext } from './database-task.ts';
import { findDatabases } from './find-databases.ts';
import { keyFingerprints } from './key-fingerprints.ts';
import { linePatterns } from './line-count.ts';
import { PathLimits } from './logical-paths.ts';
import { ParentSnapshot } from './parent-snapshot.ts';
import { FileSelection } from './select-files.ts';
import { assertRootsUsable, rootsOfType, type SelectedRoot, selectRoots } from './select-roots.ts';
import { rulesOf } from './selection-rules.ts';
import { TreeCapture } from './write-trees.ts';

export interface CaptureRequest {
  readonly source: SourceSettings;
  readonly type: SnapshotType;
  readonly origin: SnapshotOrigin;
  readonly reason: string | null;
  readonly jobId: string | null;
  /** What the new snapshot is measured against: what it holds unchanged is not read again. */
  readonly parent: { readonly id: string; readonly manifest: Manifest } | null;
  /** Our own files: never entered. */
  readonly forbiddenPaths: readonly string[];
  /** Exists, is private, and lies outside every root. */
  readonly scratchDirectory: string;
  readonly toolVersion: string;
  /** How the plugins of the source did. @default there are none */
  readonly plugins?: Manifest['plugins'];
  /** Values of the secrets that keys of the source name. @default none is known */
  readonly secrets?: (name: string) => Promise<Buffer | null>;
  /** Where roots that are read elsewhere belong, by prefix. @default where they are read */
  readonly rootPaths?: ReadonlyMap<string, string>;
  /** Logical paths to which the snapshot is limited, with all below them. Missing roots are then no error. */
  readonly onlyPaths?: readonly string[];
}

/** The part of a manifest that the trees do not tell. */
interface CaptureTimes {
  readonly startedMs: number;
  readonly capturedMs: number;
  readonly readUntilMs: number;
}

/**
 * Takes a snapshot of a source: every database as of one moment, then files and directories.
 *
 * Runs in a process that has no SQLite connection on any file of the source and opens none beside it meanwhile.
 * @throws SOURCE_MISSING, CONFIG_INVALID, BUSY (a database stays locked; retryable), NO_SPACE, and the signal's reason
 */
export async function captureSource(
  request: CaptureRequest,
  writer: StoreWriter,
  activity: Activity,
  clock: Clock,
): Promise<{ id: string; manifest: Manifest }> {
  const startedMs = clock.nowMs();
  const before = writer.statistics();
  const { roots, selection } = await selectSource(request);
  const report = new CaptureReport(activity);
  const parent = new ParentSnapshot(
    writer.reader,
    request.parent,
    (message) => report.warn(message),
    (content) => writer.lacks(content),
  );
  const context: DatabaseContext = {
    writer,
    parent,
    report,
    activity,
    clock,
    scratchDirectory: request.scratchDirectory,
    checkLevel: request.source.databases.check,
    fullScanEveryMs: request.source.databases.fullScanEveryMs,
    maxLogGrowthBytes: request.source.databases.maxLogGrowthBytes,
    fileBytesMax: request.source.maxFileBytes,
    countsLines: linePatterns(request.source.countLines),
  };

  activity.progress({ phase: 'scan', filesDone: 0, bytesDone: 0 });
  const scan = await findDatabases(roots, selection, parent, activity);
  activity.progress({ phase: 'databases', totalFiles: scan.files, totalBytes: scan.bytes });
  const { captured, momentMs } = await captureDatabases(scan.databases, context);
  const capturedMs = momentMs ?? clock.nowMs();

  activity.progress({ phase: 'files' });
  const trees = new TreeCapture(selection, captured, context);
  const manifestRoots = await writeRoots(roots, trees, context, request.rootPaths);
  const times = { startedMs, capturedMs, readUntilMs: clock.nowMs() };
  warnOfLostDatabases(request, roots, trees, context);
  if (request.onlyPaths === undefined) {
    for (const pattern of selection.unmatchedIncludes) report.note(`nothing matched ${pattern}`);
  }

  if (request.source.unreadable === 'fail') refuseLosses(report);
  const keys = await keyFingerprints(request.source, request.secrets);

  activity.progress({ phase: 'commit' });
  return writer.commitSnapshot(
    (after) => ({
      ...describe(request, times),
      finishedAt: isoTime(clock.nowMs()),
      roots: manifestRoots,
      databases: trees.databases,
      skipped: report.skipped,
      skippedCount: report.skippedCount,
      skippedByReason: report.skippedByReason,
      notes: report.notes,
      keys,
      ...(request.plugins === undefined ? {} : { plugins: request.plugins }),
      ...(report.lineCounts.files === 0 ? {} : { lineCounts: report.lineCounts }),
      changedWhileReading: report.changedWhileReading,
      warnings: report.warnings(),
      sourceFingerprint: scan.sourceFingerprint,
      statistics: snapshotStatistics(report, before, after),
    }),
    activity,
  );
}

async function selectSource(
  request: CaptureRequest,
): Promise<{ roots: SelectedRoot[]; selection: FileSelection }> {
  const { source, type, forbiddenPaths, onlyPaths } = request;
  const limits = onlyPaths === undefined ? null : new PathLimits(onlyPaths);
  const wanted = rootsOfType(source, type).filter(
    (root) => limits?.isOnTheWay(rootPrefix(root)) ?? true,
  );
  const roots = await selectRoots(wanted);
  if (onlyPaths === undefined) assertRootsUsable(roots, forbiddenPaths);
  const selection = await FileSelection.create({
    ...rulesOf(source),
    forbiddenPaths,
    roots: await selectRoots(source.roots),
    mayBlock: true,
    ...(onlyPaths === undefined ? {} : { onlyPaths }),
  });
  return { roots, selection };
}

async function writeRoots(
  roots: readonly SelectedRoot[],
  trees: TreeCapture,
  { parent, report }: DatabaseContext,
  rootPaths: CaptureRequest['rootPaths'],
): Promise<ManifestRoot[]> {
  const written: ManifestRoot[] = [];
  for (const root of roots) {
    const { class: rootClass, name } = root.settings;
    const path = rootPaths?.get(root.prefix) ?? root.path;
    const base = { class: rootClass, name, prefix: root.prefix, path };
    if (root.stat === null) report.warn(`${root.prefix} is missing: ${root.problem}`);
    const tree =
      root.stat === null || root.sameAs !== null
        ? null
        : await trees.writeDirectory(root.path, root.prefix, await parent.root(root.prefix));
    const missing = tree === null && root.sameAs === null;
    if (missing && root.stat !== null) {
      throw cannot('SOURCE_MISSING', 'capture', root.path, 'it cannot be listed', {
        details: { prefix: root.prefix, path: root.path },
      });
    }
    written.push({ ...base, tree, sameAs: root.sameAs, missing });
  }
  return written;
}

/** @throws IO_ERROR naming the first entry that could not be read */
function refuseLosses({ firstLoss }: CaptureReport): void {
  if (firstLoss === null) return;
  const state = firstLoss.message ?? firstLoss.reason;
  throw cannot('IO_ERROR', 'capture', firstLoss.path, state, {
    hint: 'Make it readable, exclude it, or let the source warn only: unreadable: warn.',
    retryable: true,
  });
}

/** A database that is gone may have been removed on purpose, or by an accident that nobody has noticed yet. */
function warnOfLostDatabases(
  request: CaptureRequest,
  roots: readonly SelectedRoot[],
  trees: TreeCapture,
  { parent, report }: DatabaseContext,
): void {
  const present = new Set(trees.databases.map((database) => database.path));
  const { optional } = request.source.databases;
  const isOptional = optional.length === 0 ? () => false : picomatch([...optional], { dot: true });
  const limits = new PathLimits(request.onlyPaths ?? roots.map((root) => root.prefix));
  for (const { path } of parent.databases) {
    if (limits.holds(path) && !present.has(path) && !isOptional(path)) {
      report.warn(`${path} was a database in the previous snapshot and is not there any more`);
    }
  }
}

function describe(request: CaptureRequest, times: CaptureTimes) {
  return {
    format: 1 as const,
    type: request.type,
    origin: request.origin,
    reason: request.reason,
    source: { id: request.source.id, name: request.source.name },
    host: { name: hostname(), os: platform(), arch: arch() },
    tool: { name: 'holdfast' as const, version: request.toolVersion },
    jobId: request.jobId,
    parent: request.parent?.id ?? null,
    startedAt: isoTime(times.startedMs),
    capturedAt: isoTime(times.capturedMs),
    skewMs: Math.max(0, times.readUntilMs - times.capturedMs),
  };
}

function snapshotStatistics(
  report: CaptureReport,
  before: WriterStatistics,
  after: WriterStatistics,
): SnapshotStatistics {
  const { files, directories, symlinks, databases, totalBytes, readBytes } = report;
  return {
    files,
    directories,
    symlinks,
    databases,
    totalBytes,
    readBytes,
    chunksNew: after.chunksNew - before.chunksNew,
    chunksDelta: after.chunksDelta - before.chunksDelta,
    chunksReused: after.chunksReused - before.chunksReused,
    addedBytes: after.addedBytes - before.addedBytes,
  };
}
