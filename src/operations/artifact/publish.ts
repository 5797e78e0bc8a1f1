import { createReadStream } from 'node:fs';
import { z } from 'zod';
import type { ArtifactStore } from '../../artifacts/portable/artifact-store.ts';
import {
  type ArtifactManifest,
  PAYLOAD_FORMATS,
  parseManifest,
  signedBytes,
} from '../../artifacts/portable/manifest.ts';
import { referenceOf } from '../../artifacts/portable/reference.ts';
import { verifyArtifact } from '../../artifacts/portable/verify-artifact.ts';
import { messageOf } from '../../kernel/errors.ts';
import { type Operation, type OperationContext, sourceOrOnly } from '../operation.ts';
import { storeOf } from './found.ts';
import { signerOf } from './keys.ts';
import { type SealedArtifact, sealArtifact } from './payload.ts';
import { artifactSettingsOf, chooseDatabase, layOutSubject, snapshotFor } from './subject.ts';

const parameters = z.strictObject({
  sourceId: z.string().optional(),
  /** Logical. Absent: every database that the settings describe, or the only one. */
  database: z.string().optional(),
  /** Absent: one is taken now. */
  snapshotId: z.string().optional(),
  payloadFormat: z.enum(PAYLOAD_FORMATS).optional(),
  keyPrefix: z.string().max(200).optional(),
  /** Absent: as the settings say. */
  alias: z.string().max(400).nullable().optional(),
});
type PublishParameters = z.infer<typeof parameters>;

export interface PublishedArtifact {
  readonly ref: string;
  readonly alias: string | null;
  readonly database: string;
  readonly stored: 'stored' | 'present';
  readonly manifest: ArtifactManifest;
}

/** What two artifacts of the same content agree in: whatever says nothing of when and from where. */
function sameArtifact(left: ArtifactManifest, right: ArtifactManifest): boolean {
  const names = ['checksum', 'payloadFormat', 'modelVersion', 'schemaVersion', 'database'] as const;
  return (
    names.every((name) => left[name] === right[name]) &&
    left.migrationVersion === right.migrationVersion &&
    left.cursor === right.cursor &&
    left.source?.id === right.source?.id
  );
}

type Sign = Awaited<ReturnType<typeof signerOf>>;

/** As it would be signed now: the key may be another one than it was. */
const isSignedLikeNow = (manifest: ArtifactManifest, sign: Sign): boolean =>
  (sign?.(signedBytes(manifest)).value ?? null) === (manifest.signature?.value ?? null);

/** One that the store has already, and that is still what it was: nobody is sent to one that has rotted. */
async function storedBefore(
  { activity }: OperationContext,
  store: ArtifactStore,
  prefix: string,
  { manifest }: SealedArtifact,
  sign: Sign,
): Promise<{ ref: string; manifest: ArtifactManifest } | null> {
  const hash = manifest.checksum.slice('sha256:'.length, 'sha256:'.length + 12);
  for (const ref of await store.list()) {
    if (!ref.startsWith(prefix) || !ref.endsWith(`-${hash}.snap`)) continue;
    try {
      const stored = await store.get(ref);
      const found = parseManifest(stored.manifestText, ref);
      if (!sameArtifact(found, manifest) || !isSignedLikeNow(found, sign)) continue;
      await verifyArtifact(
        { ...stored, name: ref, digest: null },
        { keys: [], settings: null, force: false, copyTo: null, activity },
      );
      return { ref, manifest: found };
    } catch (error) {
      activity.signal.throwIfAborted();
      activity.warn(`${ref} is not used again: ${messageOf(error)}`);
    }
  }
  return null;
}

async function publishOne(
  context: OperationContext,
  sealed: SealedArtifact,
  prefix: string,
  alias: string | null,
): Promise<PublishedArtifact> {
  const { settings, activity, clock } = context;
  const store = storeOf(settings);
  const { manifest, manifestText, payloadPath } = sealed;
  const before = await storedBefore(context, store, prefix, sealed, await signerOf(settings));
  const ref = before?.ref ?? referenceOf(prefix, manifest.checksum, clock.nowMs());
  const stored =
    before === null
      ? await store.put(ref, createReadStream(payloadPath), manifestText, activity)
      : 'present';
  const kept = before?.manifest ?? manifest;
  if (alias !== null) await store.setAlias(alias, { ref, digest: kept.digest });
  activity.log(`${manifest.database} is published as ${ref}`);
  return { ref, alias, database: manifest.database, stored, manifest: kept };
}

/** Artifacts of databases of a source, for whoever starts from them. */
export const publish: Operation<PublishParameters> = {
  kind: 'publish',
  params: parameters,
  async run(context, params) {
    const source = sourceOrOnly(context.settings, params.sourceId);
    const { snapshotId } = params;
    const snapshot = await snapshotFor(context, { snapshotId, sourceId: source.id });
    const captured = snapshot.manifest.databases.map(({ path }) => path);
    const configured = source.artifacts.map(({ database }) => database);
    const thing = `snapshot ${snapshot.id.slice(0, 8)}`;
    const databases =
      params.database === undefined && configured.length > 0
        ? configured.map((each) => chooseDatabase(each, captured, thing))
        : [chooseDatabase(params.database, captured, thing)];
    const published: PublishedArtifact[] = [];
    for (const database of databases) {
      const settings = artifactSettingsOf(source, database);
      const subject = await layOutSubject(context, snapshot, database);
      const format = params.payloadFormat ?? settings.payloadFormat;
      const sealed = await sealArtifact(context, subject, format);
      const prefix = params.keyPrefix ?? context.settings.artifacts.keyPrefix;
      const alias = params.alias === undefined ? settings.alias : params.alias;
      published.push(await publishOne(context, sealed, prefix, alias));
    }
    return { snapshotId: snapshot.id, artifacts: published };
  },
};
