import type { AliasTarget } from '../artifacts/portable/artifact-store.ts';
import { type ArtifactManifest, parseManifest } from '../artifacts/portable/manifest.ts';
import { openArtifactStore } from '../artifacts/portable/open-store.ts';
import type { MethodResult } from '../protocol/method-map.ts';
import { requireConfirmed } from './confirmation.ts';
import type { ApiContext } from './context.ts';
import type { HandlersOf } from './handler.ts';
import { decodeCursor, encodeCursor } from './pages.ts';
import { findSource, snapshotSourceId, sourceOrOnly } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

type Item = MethodResult<'artifact.list'>['items'][number];

const SCOPE = ['artifact.list'];

/** The snapshot that is meant now, not when the job's turn comes. */
async function frozen(
  snapshotId: string | undefined,
  sourceId: string | undefined,
  context: ApiContext,
): Promise<string | undefined> {
  if (snapshotId === undefined) return undefined;
  const reader = await context.openReader();
  const wanted =
    sourceId === undefined ? undefined : snapshotSourceId(context.settings, reader, sourceId);
  return reader.resolveSnapshot(snapshotId, wanted);
}

const idOf = (reference: string | undefined, { settings }: ApiContext): string | undefined =>
  reference === undefined ? undefined : findSource(settings, reference).id;

function itemOf(ref: string, aliases: string[], manifest: ArtifactManifest | null): Item {
  return {
    ref,
    aliases,
    kind: manifest?.kind ?? null,
    payloadFormat: manifest?.payloadFormat ?? null,
    checksum: manifest?.checksum ?? null,
    bytes: manifest?.bytes ?? null,
    sourceId: manifest?.source?.id ?? null,
    database: manifest?.database ?? null,
    snapshotId: manifest?.snapshotId ?? null,
    modelVersion: manifest?.modelVersion ?? null,
    schemaVersion: manifest?.schemaVersion ?? null,
    cursor: manifest?.cursor ?? null,
    createdAt: manifest?.createdAt ?? null,
    signedWith: manifest?.signature?.key ?? null,
  };
}

const aliasesOf = (ref: string, all: ReadonlyMap<string, AliasTarget>): string[] =>
  [...all].filter(([, target]) => target.ref === ref).map(([name]) => name);

async function listArtifacts(
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | null | undefined },
  { settings }: Pick<ApiContext, 'settings'>,
): Promise<MethodResult<'artifact.list'>> {
  const store = openArtifactStore(settings.artifacts.store, settings.stateDirectory);
  const all = await store.list();
  const seen = cursor == null ? null : String(decodeCursor(SCOPE, cursor)[0]);
  // What was seen last may have been removed meanwhile: names tell the order as well.
  const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);
  const found = seen === null ? -1 : all.indexOf(seen);
  const older = all.findIndex((ref) => seen !== null && nameOf(ref) < nameOf(seen));
  const start = seen === null ? 0 : found !== -1 ? found + 1 : older === -1 ? all.length : older;
  const chosen = all.slice(start, start + limit);
  const aliases = await store.aliases();
  const items: Item[] = [];
  for (const ref of chosen) {
    const manifest = await store
      .get(ref)
      .then(({ manifestText }) => parseManifest(manifestText, ref))
      .catch(() => null);
    items.push(itemOf(ref, aliasesOf(ref, aliases), manifest));
  }
  const last = chosen.at(-1);
  const more = last !== undefined && start + chosen.length < all.length;
  return { items, nextCursor: more ? encodeCursor(SCOPE, [last]) : null };
}

export const artifactHandlers: HandlersOf<'artifact'> = {
  'artifact.export': async ({ idempotencyKey, ...params }, context) => {
    const sourceId = idOf(params.sourceId, context);
    const snapshotId = await frozen(params.snapshotId, sourceId, context);
    return submitJob(context, {
      kind: 'artifact',
      sourceId: sourceId ?? null,
      params: { ...params, action: 'export', sourceId, snapshotId },
      // Without a snapshot one is taken.
      mutating: snapshotId === undefined,
      idempotencyKey,
    });
  },
  'artifact.verify': ({ idempotencyKey, ...params }, context) => {
    const sourceId = idOf(params.sourceId, context);
    return submitJob(context, {
      kind: 'artifact',
      sourceId: sourceId ?? null,
      params: { ...params, action: 'verify', sourceId },
      mutating: false,
      idempotencyKey,
    });
  },
  'artifact.import': ({ idempotencyKey, confirm, ...params }, context) => {
    const source = sourceOrOnly(context.settings, params.sourceId);
    if (params.force === true) requireConfirmed(confirm, source, 'import into', context);
    return submitJob(context, {
      kind: 'artifact',
      sourceId: source.id,
      params: { ...params, action: 'import', sourceId: source.id },
      mutating: true,
      idempotencyKey,
    });
  },
  'artifact.publish': async ({ idempotencyKey, ...params }, context) => {
    const sourceId = idOf(params.sourceId, context);
    const snapshotId = await frozen(params.snapshotId, sourceId, context);
    return submitJob(context, {
      kind: 'publish',
      sourceId: sourceId ?? null,
      params: { ...params, sourceId, snapshotId },
      mutating: snapshotId === undefined,
      idempotencyKey,
    });
  },
  'artifact.list': (params, context) => listArtifacts(params, context),
  'artifact.fetch': ({ idempotencyKey, ...params }, context) =>
    submitJob(context, {
      kind: 'artifact',
      sourceId: null,
      params: { ...params, action: 'fetch' },
      mutating: false,
      idempotencyKey,
    }),
};
