import { parseRetention } from '../config/retention-policy.ts';
import type { RetentionSettings } from '../config/retention-settings.ts';
import type { SourceSettings } from '../config/settings.ts';
import { cannot } from '../kernel/errors.ts';
import type { RetentionPlan } from '../retention/candidate.ts';
import { retentionWarnings } from '../retention/policy-warnings.ts';
import { planSource, readGuards } from '../retention/source-plan.ts';
import type { SnapshotSummary, StoreReader } from '../store/store.ts';
import type { ApiContext } from './context.ts';
import type { HandlersOf } from './handler.ts';
import { pageByTime } from './pages.ts';
import { readerIfAny } from './reader-if-any.ts';
import { findSource, sourceOrOnly } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

export const retentionHandlers: HandlersOf<'retention'> = {
  'retention.get': ({ sourceId }, { settings }) => {
    const source = sourceOrOnly(settings, sourceId);
    return {
      sourceId: source.id,
      policy: policyDocument(source.retention),
      warnings: retentionWarnings(source),
    };
  },
  'retention.preview': async ({ policy: written, ...params }, context) => {
    const source = sourceOrOnly(context.settings, params.sourceId);
    const policy = written === undefined ? source.retention : parseRetention(written);
    const reader = await readerIfAny(context);
    const snapshots = reader?.listSnapshots({ sourceId: source.id }) ?? [];
    const { keep, remove } = await planOf(context, source, policy, snapshots, reader);
    const reasons = new Map([...keep, ...remove].map((verdict) => [verdict.id, verdict.reasons]));
    const removed = new Set(remove.map(({ id }) => id));
    const page = pageByTime(
      snapshots,
      params,
      ['retention.preview', source.id, policy],
      ({ id, capturedAt }) => ({ id, at: capturedAt }),
      ({ id, shortId, capturedAt, origin }) => ({
        id,
        shortId,
        capturedAt,
        origin,
        action: removed.has(id) ? ('remove' as const) : ('keep' as const),
        reasons: [...(reasons.get(id) ?? [])],
      }),
    );
    return {
      ...page,
      sourceId: source.id,
      policy: policyDocument(policy),
      keepCount: keep.length,
      removeCount: remove.length,
    };
  },
  'retention.apply': ({ sources, orphans, dryRun, idempotencyKey }, context) => {
    if (sources !== undefined && orphans !== undefined) {
      throw cannot('INVALID_PARAMS', 'apply', 'retention', 'both sources and orphans are named', {
        hint: 'Orphans are removed whole, by a job of their own.',
      });
    }
    const ids = sources?.map((each) => findSource(context.settings, each).id);
    return submitJob(context, {
      kind: 'forget',
      sourceId: ids?.length === 1 ? ids[0]! : null,
      params: { sources: ids, orphans, dryRun },
      mutating: dryRun !== true,
      idempotencyKey,
    });
  },
};

async function planOf(
  { settings, clock }: Pick<ApiContext, 'settings' | 'clock'>,
  { id }: SourceSettings,
  policy: RetentionSettings | null,
  snapshots: readonly SnapshotSummary[],
  reader: StoreReader | null,
): Promise<RetentionPlan> {
  if (policy === null || reader === null) {
    return { keep: snapshots.map((each) => ({ id: each.id, reasons: ['no policy'] })), remove: [] };
  }
  const nowMs = clock.nowMs();
  const guards = await readGuards(settings, id, clock);
  return planSource({ snapshots, policy, guards, nowMs }, reader);
}

const policyDocument = (policy: RetentionSettings | null) =>
  policy === null ? null : { ...policy, origins: { ...policy.origins } };
