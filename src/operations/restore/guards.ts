import { cannot } from '../../kernel/errors.ts';
import { planFingerprint } from '../../restore/plan-fingerprint.ts';
import type { RestorePlan } from '../../restore/restore-request.ts';
import type { StoreReader } from '../../store/store.ts';
import { type OperationContext, requireSource } from '../operation.ts';

/** The snapshot that is meant, and whose it is. @throws NOT_FOUND */
export async function resolveSnapshot(
  reader: StoreReader,
  { settings }: Pick<OperationContext, 'settings'>,
  params: { readonly snapshotId: string; readonly sourceId?: string | undefined },
): Promise<{ snapshotId: string; sourceId: string }> {
  const named =
    params.sourceId === undefined ? undefined : requireSource(settings, params.sourceId);
  const snapshotId = reader.resolveSnapshot(params.snapshotId, named?.id);
  const { source } = await reader.readManifest(snapshotId);
  if (named === undefined || source.id === named.id) return { snapshotId, sourceId: source.id };
  throw cannot(
    'NOT_FOUND',
    'restore snapshot',
    params.snapshotId,
    `it is not of source ${named.name}`,
  );
}

/** @throws CONFIRMATION_REQUIRED where a database that holds something would be replaced, and nobody said it may be */
export function refuseUnasked(plan: RestorePlan, replaceDatabases: boolean): void {
  if (replaceDatabases) return;
  const populated = [
    ...plan.entries.filter(({ action, family }) => action === 'overwrite' && family),
    ...plan.deletions.filter(({ family }) => family),
  ];
  const [first] = populated;
  if (first === undefined) return;
  const state = 'there is a database already, and nothing says that it may be replaced';
  throw cannot('CONFIRMATION_REQUIRED', 'replace database', first.target, state, {
    hint: 'Look at the plan, then ask for the restore with replaceDatabases: true.',
    details: { databases: populated.slice(0, 20).map(({ target }) => target) },
  });
}

/** @throws PLAN_CHANGED */
export async function refuseChanged(plan: RestorePlan, fingerprint: string): Promise<void> {
  if ((await planFingerprint(plan)) === fingerprint) return;
  const state = 'what stands at its targets, or would be done there, is not what was planned';
  throw cannot('PLAN_CHANGED', 'carry out the plan of', plan.snapshotId.slice(0, 8), state, {
    hint: 'Nothing was changed. Plan the restore again, and look at it.',
  });
}
