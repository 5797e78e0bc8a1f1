import { z } from 'zod';
import { captureSource } from '../capture/capture-source.ts';
import { sourceFingerprint } from '../capture/source-fingerprint.ts';
import { pluginRootName } from '../config/resolve-plugins.ts';
import type { SourceSettings } from '../config/settings.ts';
import { type PluginResult, runPlugins } from '../hooks/run-plugins.ts';
import { HoldfastError } from '../kernel/errors.ts';
import { SecretStore } from '../state/secret-store.ts';
import { isGood, isRegular, type Manifest } from '../store/manifests/manifest.ts';
import type { StoreReader, StoreWriter } from '../store/store.ts';
import { type Operation, type OperationContext, ownPaths, sourceOrOnly } from './operation.ts';
import { openRepositoryWriter } from './repository-access.ts';
import { verifyRefuted } from './verify-refuted.ts';
import { TOOL_VERSION } from './version.ts';
import { hookContext, hookFacts, withHooks } from './with-hooks.ts';

const parameters = z.strictObject({
  sourceId: z.string().optional(),
  type: z.enum(['full', 'config', 'data']).default('full'),
  origin: z.enum(['manual', 'schedule', 'change']).default('manual'),
  reason: z.string().max(1000).nullish(),
  tags: z.array(z.string().min(1).max(64)).max(32).default([]),
  /** Whoever gets here could not be answered without a look. */
  ifChanged: z.boolean().optional(),
});

const PASSED_OVER: ReadonlySet<string> = new Set(['VERIFY_FAILED', 'REPO_CORRUPT', 'NOT_FOUND']);

/** The newest snapshot of a source of which the manifest can be read: what the next one is measured against. */
export async function newestSnapshot(
  reader: StoreReader,
  source: SourceSettings,
): Promise<{ id: string; manifest: Manifest } | null> {
  const regular = reader
    .listSnapshots({ sourceId: source.id })
    .filter((summary) => isRegular(summary));
  for (const { id } of regular) {
    try {
      return { id, manifest: await reader.readManifest(id) };
    } catch (error) {
      // A damaged manifest must not keep new snapshots from being made; `check` reports it.
      if (!(error instanceof HoldfastError) || !PASSED_OVER.has(error.code)) throw error;
    }
  }
  return null;
}

/** What every job that makes a snapshot says about it. */
export function snapshotResult(id: string, manifest: Manifest): Record<string, unknown> {
  return {
    snapshotId: id,
    shortId: id.slice(0, 8),
    sourceId: manifest.source.id,
    sourceFingerprint: manifest.sourceFingerprint,
    good: isGood(manifest),
    capturedAt: manifest.capturedAt,
    skewMs: manifest.skewMs,
    statistics: manifest.statistics,
    databases: manifest.databases.map(({ path, method, check, logGrowth }) => ({
      path,
      method,
      check,
      ...(logGrowth === undefined ? {} : { logGrowth }),
    })),
    writtenAround: writtenAround(manifest),
    skippedCount: manifest.skippedCount,
    skippedByReason: manifest.skippedByReason ?? {},
    notes: manifest.notes ?? [],
    lineCounts: manifest.lineCounts ?? null,
    changedWhileReading: manifest.changedWhileReading.length,
    warnings: manifest.warnings,
  };
}

/** Databases that this snapshot found written by somebody else than SQLite. */
function writtenAround({ databases, startedAt }: Manifest): string[] {
  return databases
    .filter(({ method }) => method !== 'unchanged')
    .filter(({ reading }) => (reading?.contradictedAt ?? '') >= startedAt)
    .map(({ path }) => path);
}

async function addTags(writer: StoreWriter, id: string, tags: readonly string[]): Promise<void> {
  if (tags.length === 0) return;
  const notes = await writer.reader.readNotes(id);
  await writer.writeNotes(id, { ...notes, tags: [...new Set([...notes.tags, ...tags])].sort() });
}

/** What the plugins gave, and the source as it is captured: without the roots of those that failed. */
async function collectPlugins(
  context: OperationContext,
  source: SourceSettings,
): Promise<{ captured: SourceSettings; plugins: readonly PluginResult[] }> {
  if (source.plugins.length === 0) return { captured: source, plugins: [] };
  const facts = hookFacts(context, source, { kind: 'backup', snapshotId: null });
  const plugins = await runPlugins(source.plugins, facts, hookContext(context));
  const left = new Set(plugins.filter(({ ok }) => !ok).map(({ name }) => pluginRootName(name)));
  const roots = source.roots.filter(({ name }) => name === null || !left.has(name));
  return { captured: { ...source, roots }, plugins };
}

type BackupParameters = z.infer<typeof parameters>;

async function takeSnapshot(
  context: OperationContext,
  source: SourceSettings,
  params: BackupParameters,
): Promise<Record<string, unknown>> {
  const { activity, settings, clock, jobId, scratchDirectory } = context;
  const forbiddenPaths = ownPaths(settings);
  const { captured, plugins } = await collectPlugins(context, source);
  // Triggers compare with all of the source: what a failed plugin left out must not look like a change for ever.
  const before =
    captured === source || captured.roots.length === source.roots.length
      ? null
      : await sourceFingerprint(source, forbiddenPaths);
  const writer = await openRepositoryWriter(settings, clock, activity, 'backup');
  try {
    const { id, manifest } = await captureSource(
      {
        source: captured,
        type: params.type,
        origin: params.origin,
        reason: params.reason ?? null,
        jobId,
        // Where packs were lost, everything is read again: what is found missing is then stored anew.
        parent:
          writer.reconciled.packsLost.length > 0
            ? null
            : await newestSnapshot(writer.reader, source),
        forbiddenPaths,
        ...(plugins.length === 0
          ? {}
          : { plugins: plugins.map(({ name, ok, files }) => ({ name, ok, files })) }),
        secrets: (name) => new SecretStore(settings.stateDirectory).read(name),
        scratchDirectory,
        toolVersion: TOOL_VERSION,
      },
      writer,
      activity,
      clock,
    );
    await addTags(writer, id, [...source.tags, ...params.tags]);
    for (const warning of manifest.warnings) activity.warn(warning);
    const result = snapshotResult(id, manifest);
    const { healedObjects } = writer;
    return {
      ...result,
      healedObjects,
      ...(before === null ? {} : { sourceFingerprint: before }),
      plugins,
    };
  } finally {
    await writer.close();
  }
}

/** Older snapshots become whole by what was damaged and has been stored again: those that are say so from now on. */
async function withHealed(
  context: OperationContext,
  result: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  if (result['healedObjects'] === 0) return { ...result, snapshotsHealed: [] };
  context.activity.log(`${result['healedObjects']} damaged objects were stored again`);
  return { ...result, snapshotsHealed: await verifyRefuted(context, () => true) };
}

/** Takes one snapshot of one source, between its hooks. */
export const backup: Operation<BackupParameters> = {
  kind: 'backup',
  params: parameters,
  run(context, params) {
    const source = sourceOrOnly(context.settings, params.sourceId);
    const work = { kind: 'backup', before: 'pre', after: 'post', snapshotId: null } as const;
    return withHooks(context, source, work, async () =>
      withHealed(context, await takeSnapshot(context, source, params)),
    );
  },
};
