import { z } from 'zod';
import { isoTime } from '../../kernel/clock.ts';
import { newId } from '../../kernel/ids.ts';
import { stagePending } from '../../restore/stage-pending.ts';
import { type Operation, ownPaths, sourceOrOnly } from '../operation.ts';
import { withLease, withReader } from '../repository-access.ts';
import { refuseUnasked, resolveSnapshot } from './guards.ts';
import { RestoreMigration } from './migration.ts';
import { liveListing, selectionParameters } from './parameters.ts';

const parameters = z.strictObject({
  ...selectionParameters,
  applyWhen: z.enum(['boot', 'free']).default('boot'),
  replacePending: z.boolean().default(false),
  stagedBy: z.string().max(200).nullable().default(null),
});

/** Extracts and checks a restore in place that is put there later: at the next start, or when its target is free. */
export const stage: Operation<z.infer<typeof parameters>> = {
  kind: 'stage',
  params: parameters,
  run(context, params) {
    const { settings, activity, clock, jobId } = context;
    return withReader(settings, async (reader) => {
      const { snapshotId, sourceId } = await resolveSnapshot(reader, context, params);
      const source = sourceOrOnly(settings, sourceId);
      const { mode, checkpoint, applyWhen, replacePending, stagedBy } = params;
      const { migrate, allowNewer } = params;
      const choices = { migrate, allowNewer, purpose: 'stage' } as const;
      const migration = new RestoreMigration(context, reader, { snapshotId, sourceId }, choices);
      const staging = async () =>
        stagePending(
          {
            snapshotId,
            sourceId,
            target: { type: 'in-place', roots: source.roots },
            paths: params.paths,
            classes: params.classes,
            overwrite: params.overwrite ?? 'always',
            dryRun: false,
            ...(mode === 'mirror' ? { mirror: await liveListing(source, settings) } : {}),
            check: params.check,
            forbiddenPaths: ownPaths(settings),
            stateDirectory: settings.stateDirectory,
            jobId,
            inspectPlan: async (plan) => {
              refuseUnasked(plan, params.replaceDatabases);
              await migration.inspect(plan, false);
            },
            onDatabaseStaged: migration.hook,
          },
          {
            id: newId(clock.nowMs()),
            sourceId,
            mode,
            checkpoint,
            applyWhen,
            stagedAt: isoTime(clock.nowMs()),
            stagedBy,
            replacePending,
          },
          reader,
          activity,
        );
      const pending = await withLease(context, snapshotId, 'stage', staging);
      const { id, bytes, stagedAt, items, checked } = pending;
      const staged = { stagedAt, bytes, items: items.length, checked, ...migration.document };
      return { pendingId: id, snapshotId, sourceId, ...staged };
    });
  },
};
