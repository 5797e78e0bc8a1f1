import { captureSource } from '../../capture/capture-source.ts';
import type { RestorePlan } from '../../restore/restore-request.ts';
import { newestSnapshot } from '../backup.ts';
import { type OperationContext, ownPaths, requireSource } from '../operation.ts';
import { openRepositoryWriter } from '../repository-access.ts';
import { TOOL_VERSION } from '../version.ts';

/** The logical paths whose present state the plan would replace or remove. */
export function touchedPaths({ entries, deletions }: RestorePlan): string[] {
  return [
    ...entries.filter(({ action, type }) => action === 'overwrite' && type !== 'directory'),
    ...deletions.filter(({ insideDeleted }) => !insideDeleted),
  ].map(({ logicalPath }) => logicalPath);
}

/** Why a snapshot is taken of what is about to be replaced. */
export interface CheckpointReason {
  readonly origin: 'pre-restore' | 'pre-migrate';
  readonly reason: string;
}

export const beforeRestoreOf = (snapshotId: string): CheckpointReason => ({
  origin: 'pre-restore',
  reason: `before the restore of ${snapshotId.slice(0, 8)}`,
});

/** Snapshots what is about to be replaced, and nothing else. Returns its id, or null when nothing is replaced. */
export async function takeCheckpoint(
  context: OperationContext,
  sourceId: string,
  onlyPaths: readonly string[],
  { origin, reason }: CheckpointReason,
): Promise<string | null> {
  if (onlyPaths.length === 0) return null;
  const { settings, clock, activity, jobId, scratchDirectory } = context;
  const source = requireSource(settings, sourceId);
  const writer = await openRepositoryWriter(settings, clock, activity, `${origin} snapshot`);
  try {
    const { id } = await captureSource(
      {
        source,
        type: 'full',
        origin,
        reason,
        jobId,
        parent: await newestSnapshot(writer.reader, source),
        forbiddenPaths: ownPaths(settings),
        scratchDirectory,
        toolVersion: TOOL_VERSION,
        onlyPaths,
      },
      writer,
      activity,
      clock,
    );
    return id;
  } finally {
    await writer.close();
  }
}
