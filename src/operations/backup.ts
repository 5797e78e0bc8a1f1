import { z } from 'zod';
import { captureSource } from '../capture/capture-source.ts';
import type { SourceSettings } from '../config/settings.ts';
import { isCheckpoint, isGood, type Manifest } from '../store/manifests/manifest.ts';
import type { StoreReader, StoreWriter } from '../store/store.ts';
import { type Operation, ownPaths, sourceOrOnly } from './operation.ts';
import { openRepositoryWriter } from './repository-access.ts';
import { TOOL_VERSION } from './version.ts';

const parameters = z.strictObject({
  sourceId: z.string().optional(),
  type: z.enum(['full', 'config', 'data']).default('full'),
  origin: z.enum(['manual', 'schedule', 'change']).default('manual'),
  reason: z.string().max(1000).nullish(),
  tags: z.array(z.string().min(1).max(64)).max(32).default([]),
});

/** The newest snapshot of a source: what the next one is measured against. */
export async function newestSnapshot(
  reader: StoreReader,
  source: SourceSettings,
): Promise<{ id: string; manifest: Manifest } | null> {
  const newest = reader
    .listSnapshots({ sourceId: source.id })
    .find((summary) => !isCheckpoint(summary));
  return newest === undefined
    ? null
    : { id: newest.id, manifest: await reader.readManifest(newest.id) };
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
    databases: manifest.databases.map(({ path, method, check }) => ({ path, method, check })),
    skippedCount: manifest.skippedCount,
    changedWhileReading: manifest.changedWhileReading.length,
    warnings: manifest.warnings,
  };
}

async function addTags(writer: StoreWriter, id: string, tags: readonly string[]): Promise<void> {
  if (tags.length === 0) return;
  const notes = await writer.reader.readNotes(id);
  await writer.writeNotes(id, { ...notes, tags: [...new Set([...notes.tags, ...tags])].sort() });
}

/** Takes one snapshot of one source. */
export const backup: Operation<z.infer<typeof parameters>> = {
  kind: 'backup',
  params: parameters,
  async run({ activity, settings, clock, jobId, scratchDirectory }, params) {
    const source = sourceOrOnly(settings, params.sourceId);
    const writer = await openRepositoryWriter(settings, clock, activity, 'backup');
    try {
      const { id, manifest } = await captureSource(
        {
          source,
          type: params.type,
          origin: params.origin,
          reason: params.reason ?? null,
          jobId,
          // Where packs were lost, everything is read again: what is found missing is then stored anew.
          parent:
            writer.reconciled.packsLost.length > 0
              ? null
              : await newestSnapshot(writer.reader, source),
          forbiddenPaths: ownPaths(settings),
          scratchDirectory,
          toolVersion: TOOL_VERSION,
        },
        writer,
        activity,
        clock,
      );
      await addTags(writer, id, params.tags);
      for (const warning of manifest.warnings) activity.warn(warning);
      return snapshotResult(id, manifest);
    } finally {
      await writer.close();
    }
  },
};
