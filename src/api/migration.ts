import { onlySource } from '../config/choose-source.ts';
import { isoTime } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import { MigrationHistory } from '../migrations/migration-history.ts';
import type { MigrationRow } from '../migrations/migration-row.ts';
import type { MethodResult, ValidParams } from '../protocol/method-map.ts';
import type { ApiContext } from './context.ts';
import type { HandlersOf } from './handler.ts';
import { decodeCursor, encodeCursor, withinBytes } from './pages.ts';
import { findSource, snapshotSourceId } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

type Change = ValidParams<'migration.up'> | ValidParams<'migration.down'>;

function submitChange(
  action: 'up' | 'down',
  { confirm, idempotencyKey, ...params }: Change,
  context: ApiContext,
) {
  const source = findSource(context.settings, params.sourceId ?? onlySource(context.settings).id);
  const isConfirmed = confirm === source.id || confirm === source.name;
  if (params.dryRun !== true && !isConfirmed) {
    const state = confirm === undefined ? 'it is not confirmed' : `"${confirm}" was confirmed`;
    throw cannot('CONFIRMATION_REQUIRED', 'migrate', source.name, state, {
      hint: `Say which source is meant: confirm: "${source.name}".`,
    });
  }
  return submitJob(context, {
    kind: 'migrate',
    sourceId: source.id,
    params: { action, ...params, sourceId: source.id },
    mutating: params.dryRun !== true,
    idempotencyKey,
  });
}

type Look = ValidParams<'migration.status'> & { readonly target?: string | undefined };

function submitLook(action: 'status' | 'pending', params: Look, context: ApiContext) {
  const { sourceId: reference, idempotencyKey, ...rest } = params;
  const sourceId = reference === undefined ? undefined : findSource(context.settings, reference).id;
  return submitJob(context, {
    kind: 'migrate',
    sourceId: sourceId ?? null,
    params: { action, sourceId, ...rest },
    mutating: false,
    idempotencyKey,
  });
}

export const migrationHandlers: HandlersOf<'migration'> = {
  'migration.status': (params, context) => submitLook('status', params, context),
  'migration.pending': (params, context) => submitLook('pending', params, context),
  'migration.check': async ({ idempotencyKey, sourceId: named, ...params }, context) => {
    const reader = await context.openReader();
    const wanted =
      named === undefined ? undefined : snapshotSourceId(context.settings, reader, named);
    // The one that is meant now, not when the job's turn comes.
    const snapshotId = reader.resolveSnapshot(params.snapshotId, wanted);
    const { source } = await reader.readManifest(snapshotId);
    return submitJob(context, {
      kind: 'migrate',
      sourceId: source.id,
      params: { action: 'check', ...params, snapshotId, sourceId: wanted },
      mutating: false,
      idempotencyKey,
    });
  },
  'migration.up': (params, context) => submitChange('up', params, context),
  'migration.down': (params, context) => submitChange('down', params, context),
  'migration.history': async ({ sourceId: reference, database, limit, cursor }, context) => {
    const { stateDirectory } = context.settings;
    const sourceId =
      reference === undefined ? undefined : findSource(context.settings, reference).id;
    const scope = ['migration.history', sourceId ?? null, database ?? null];
    const before = cursor == null ? null : Number(decodeCursor(scope, cursor)[0]);
    const found = await readRows(stateDirectory, { sourceId, database }, before, limit + 1);
    const items = withinBytes(found.slice(0, limit).map(documentOf));
    const last = items.at(-1);
    const more = found.length > items.length && last !== undefined;
    return { items, nextCursor: more ? encodeCursor(scope, [last.sequence]) : null };
  },
};

async function readRows(
  stateDirectory: string,
  filter: { readonly sourceId: string | undefined; readonly database: string | undefined },
  before: number | null,
  limit: number,
): Promise<MigrationRow[]> {
  // A damaged one is set aside by the next job that writes it, which tells of it.
  const history = await MigrationHistory.openExisting(stateDirectory, () => {});
  try {
    return history?.list(filter, before, limit) ?? [];
  } finally {
    history?.close();
  }
}

function documentOf(row: MigrationRow): MethodResult<'migration.history'>['items'][number] {
  const { startedAt, finishedAt } = row;
  return {
    ...row,
    startedAt: isoTime(startedAt),
    finishedAt: finishedAt === null ? null : isoTime(finishedAt),
  };
}
