import { z } from 'zod';
import type { Settings, SourceSettings } from '../config/settings.ts';
import { cannot, type ErrorDocument, HoldfastError, toErrorDocument } from '../kernel/errors.ts';
import type { RetentionVerdict } from '../retention/candidate.ts';
import { planSource, readGuards } from '../retention/source-plan.ts';
import type { SnapshotSummary, StoreReader, StoreWriter } from '../store/store.ts';
import { type Operation, type OperationContext, requireSource } from './operation.ts';
import { openRepositoryWriter, withReader } from './repository-access.ts';

const parameters = z.strictObject({
  /** Ids or names; absent: every source. */
  sources: z.array(z.string().min(1)).min(1).max(256).optional(),
  /** Ids of sources that are no longer configured, whose snapshots all go. Nothing else is done then. */
  orphans: z.array(z.string().min(1)).min(1).max(256).optional(),
  dryRun: z.boolean().default(false),
});

type ForgetParameters = z.infer<typeof parameters>;

/** What became of one source. Lists are cut to what a job's result may hold; counts are of all. */
interface ForgottenSource {
  readonly sourceId: string;
  readonly sourceName: string;
  readonly kept: readonly RetentionVerdict[];
  readonly keptCount: number;
  readonly removed: readonly string[];
  readonly removedCount: number;
  readonly skippedReason: string | null;
  readonly error: ErrorDocument | null;
}

/** Snapshots in the repository of a source that is no longer configured. */
interface OrphanedSource {
  readonly sourceId: string;
  readonly sourceName: string;
  readonly snapshots: number;
}

/** Removed in one go: between two of them the job can be cancelled. */
const BATCH_MAX = 100;
/** Ids listed in the result, of all sources together. */
const LISTED_MAX = 3000;

/** What is to be done about one source, and the part of the repository that it is about. */
interface ForgetTask {
  readonly sourceId: string;
  readonly sourceName: string;
  readonly snapshots: readonly SnapshotSummary[];
  /** Null: removes everything that is not held. */
  readonly source: SourceSettings | null;
}

/** Removes the snapshots that no policy keeps: their records, never data. */
export const forget: Operation<ForgetParameters> = {
  kind: 'forget',
  params: parameters,
  async run(context, params) {
    const { settings, clock, activity } = context;
    if (params.dryRun) {
      return withReader(settings, (reader) => forgetAll(context, params, reader, null));
    }
    const writer = await openRepositoryWriter(settings, clock, activity, 'forget');
    try {
      return await forgetAll(context, params, writer.reader, writer);
    } finally {
      await writer.close();
    }
  },
};

/** @throws the error of the first source that failed, after all had their turn */
async function forgetAll(
  context: OperationContext,
  params: ForgetParameters,
  reader: StoreReader,
  writer: StoreWriter | null,
): Promise<Record<string, unknown>> {
  const { activity, settings } = context;
  const snapshots = reader.listSnapshots();
  const tasks = tasksOf(settings, params, snapshots);
  const listedMax = Math.ceil(LISTED_MAX / Math.max(1, tasks.length));
  const sources: ForgottenSource[] = [];
  for (const task of tasks) {
    activity.signal.throwIfAborted();
    activity.progress({ phase: 'forget', currentFile: task.sourceName });
    sources.push(await forgetSource(context, task, reader, writer, listedMax));
  }
  const result = {
    dryRun: params.dryRun,
    ok: sources.every(({ error }) => error === null),
    sources,
    orphaned: orphansOf(settings, snapshots),
  };
  const failed = sources.find(({ error }) => error !== null);
  if (failed === undefined) return result;
  const { code, hint, retryable, message } = failed.error!;
  throw cannot(code, 'forget snapshots of', failed.sourceName, message, {
    ...(hint === undefined ? {} : { hint }),
    retryable,
    details: { report: result },
  });
}

/** @throws NOT_FOUND; INVALID_PARAMS for an orphan that is none */
function tasksOf(
  settings: Settings,
  { sources: references, orphans }: ForgetParameters,
  snapshots: readonly SnapshotSummary[],
): ForgetTask[] {
  const of = (sourceId: string): SnapshotSummary[] =>
    snapshots.filter((snapshot) => snapshot.sourceId === sourceId);
  if (orphans !== undefined) {
    return [...new Set(orphans)].map((sourceId) => {
      const own = of(sourceId);
      refuseConfigured(settings, sourceId);
      if (own.length === 0) {
        throw cannot('NOT_FOUND', 'forget snapshots of', sourceId, 'no snapshot is of this source');
      }
      return { sourceId, sourceName: own[0]!.sourceName, snapshots: own, source: null };
    });
  }
  const sources = references?.map((each) => requireSource(settings, each)) ?? settings.sources;
  return [...new Set(sources)].map((source) => {
    return { sourceId: source.id, sourceName: source.name, snapshots: of(source.id), source };
  });
}

function refuseConfigured(settings: Settings, sourceId: string): void {
  if (!settings.sources.some(({ id }) => id === sourceId)) return;
  throw cannot('INVALID_PARAMS', 'forget as orphaned', sourceId, 'the source is configured', {
    hint: 'Its retention policy says which of its snapshots go: holdfast forget.',
  });
}

function orphansOf(settings: Settings, snapshots: readonly SnapshotSummary[]): OrphanedSource[] {
  const orphans = new Map<string, OrphanedSource>();
  for (const { sourceId, sourceName } of snapshots) {
    if (settings.sources.some(({ id }) => id === sourceId)) continue;
    const known = orphans.get(sourceId) ?? { sourceId, sourceName, snapshots: 0 };
    orphans.set(sourceId, { ...known, snapshots: known.snapshots + 1 });
  }
  return [...orphans.values()].slice(0, 256);
}

async function forgetSource(
  context: OperationContext,
  task: ForgetTask,
  reader: StoreReader,
  writer: StoreWriter | null,
  listedMax: number,
): Promise<ForgottenSource> {
  const { activity } = context;
  const { sourceId, sourceName } = task;
  const about = { sourceId, sourceName, kept: [], keptCount: 0, removed: [], removedCount: 0 };
  if (task.source !== null && task.source.retention === null) {
    activity.log(`${sourceName}: skipped, it has no policy`);
    return { ...about, skippedReason: 'no policy', error: null };
  }
  const removed: string[] = [];
  let kept: readonly RetentionVerdict[] = [];
  let error: ErrorDocument | null = null;
  try {
    const plan = await planOf(context, task, reader);
    const refused = await remove(plan.remove, writer, context, removed);
    kept = [...plan.keep, ...refused];
  } catch (cause) {
    activity.signal.throwIfAborted();
    error = toErrorDocument(cause);
    activity.log(`${sourceName}: ${error.message}`);
  }
  const verb = writer === null ? 'would be removed' : 'removed';
  activity.log(`${sourceName}: ${removed.length} ${verb}, ${kept.length} kept`);
  return {
    ...about,
    kept: kept.slice(0, listedMax),
    keptCount: kept.length,
    removed: removed.slice(0, listedMax),
    removedCount: removed.length,
    skippedReason: null,
    error,
  };
}

async function planOf(
  { settings, clock }: OperationContext,
  { source, sourceId, snapshots }: ForgetTask,
  reader: StoreReader,
): Promise<{ keep: readonly RetentionVerdict[]; remove: readonly RetentionVerdict[] }> {
  if (source === null || source.retention === null) {
    const oldestFirst = [...snapshots].reverse();
    const held = oldestFirst.filter(({ pinned }) => pinned);
    return {
      keep: held.map(({ id }) => ({ id, reasons: ['pinned'] })),
      remove: oldestFirst
        .filter(({ pinned }) => !pinned)
        .map(({ id }) => ({ id, reasons: ['orphaned'] })),
    };
  }
  const nowMs = clock.nowMs();
  const guards = await readGuards(settings, sourceId, clock);
  return planSource({ snapshots, policy: source.retention, guards, nowMs }, reader);
}

/**
 * Oldest first, in batches; `removed` gains what is gone, also where a later batch fails. Returns those that are
 * held by now.
 */
async function remove(
  verdicts: readonly RetentionVerdict[],
  writer: StoreWriter | null,
  { activity }: OperationContext,
  removed: string[],
): Promise<RetentionVerdict[]> {
  const refused: string[] = [];
  for (let start = 0; start < verdicts.length; start += BATCH_MAX) {
    activity.signal.throwIfAborted();
    const batch = verdicts.slice(start, start + BATCH_MAX).map(({ id }) => id);
    const held = writer === null ? [] : await removeBatch(writer, batch);
    const gone = batch.filter((id) => !held.includes(id));
    refused.push(...held);
    removed.push(...gone);
    activity.progress({ filesDone: start + batch.length, totalFiles: verdicts.length });
    for (const id of gone) activity.log(`${writer === null ? 'would remove' : 'removed'} ${id}`);
  }
  return refused.map((id) => ({ id, reasons: ['in use'] }));
}

/** Returns those that somebody began to read or pinned since the plan was made: they stay, the others go. */
async function removeBatch(writer: StoreWriter, ids: readonly string[]): Promise<string[]> {
  try {
    await writer.removeSnapshots(ids);
    return [];
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'IN_USE') throw error;
    if (ids.length === 1) return [...ids];
    const held: string[] = [];
    for (const id of ids) held.push(...(await removeBatch(writer, [id])));
    return held;
  }
}
