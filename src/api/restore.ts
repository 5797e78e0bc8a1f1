import { cannot } from '../kernel/errors.ts';
import type { HandlersOf } from './handler.ts';
import { snapshotSourceId } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

export const restoreHandlers: HandlersOf<'restore'> = {
  'restore.run': async ({ idempotencyKey, sourceId: reference, ...params }, context) => {
    const reader = await context.openReader();
    const named =
      reference === undefined ? undefined : snapshotSourceId(context.settings, reader, reference);
    // `latest` means the newest now, not when the job's turn comes.
    const snapshotId = reader.resolveSnapshot(params.snapshotId, named);
    const { source } = await reader.readManifest(snapshotId);
    if (named !== undefined && source.id !== named) {
      throw cannot(
        'NOT_FOUND',
        'restore snapshot',
        params.snapshotId,
        `it is of "${source.name}"`,
        {
          hint: 'Leave the source out, or name a snapshot of it.',
        },
      );
    }
    return submitJob(context, {
      kind: 'restore',
      sourceId: source.id,
      params: { ...params, snapshotId },
      // Into a directory it touches neither the repository nor what is protected.
      mutating: params.target.type === 'in-place' && params.dryRun !== true,
      idempotencyKey,
    });
  },
};
