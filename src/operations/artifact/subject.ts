import { join } from 'node:path';
import type { ArtifactSettings } from '../../config/artifact-settings.ts';
import { objectOf } from '../../config/option.ts';
import { artifactOptions } from '../../config/options/artifact-options.ts';
import type { SourceSettings } from '../../config/settings.ts';
import { isoTime } from '../../kernel/clock.ts';
import { cannot } from '../../kernel/errors.ts';
import type { Manifest } from '../../store/manifests/manifest.ts';
import { backup } from '../backup.ts';
import type { OperationContext } from '../operation.ts';
import { withLease, withReader } from '../repository-access.ts';
import {
  copyLiveDatabase,
  layOutDatabase,
  markAsRollbackMode,
} from '../restore/staged-database.ts';

/** The database that an artifact is made of, laid out as one file of its own. */
export interface ArtifactSubject {
  readonly path: string;
  /** Logical; the file's name where there is no source. */
  readonly database: string;
  readonly source: { readonly id: string; readonly name: string } | null;
  readonly snapshotId: string | null;
  readonly capturedAt: string;
  readonly settings: ArtifactSettings;
}

/** As configured, or every option at its default but no alias. */
export function artifactSettingsOf(
  source: Pick<SourceSettings, 'artifacts'> | undefined,
  database: string,
): ArtifactSettings {
  const configured = source?.artifacts.find((each) => each.database === database);
  return configured ?? { ...objectOf(artifactOptions).parse({ database }), alias: null };
}

/** The named one, or the only one. @throws INVALID_PARAMS, NOT_FOUND */
export function chooseDatabase(
  named: string | undefined,
  candidates: readonly string[],
  thing: string,
): string {
  const [only, ...others] = candidates;
  if (named !== undefined) {
    if (candidates.includes(named)) return named;
    throw cannot('NOT_FOUND', 'find database', named, `${thing} has none of this path`, {
      hint: `It has: ${candidates.join(', ') || 'none'}.`,
    });
  }
  if (only !== undefined && others.length === 0) return only;
  throw cannot('INVALID_PARAMS', 'choose a database of', thing, `it has ${candidates.length}`, {
    hint: `Name one of them: ${candidates.join(', ') || 'there is none'}.`,
  });
}

/** The snapshot that is named, or one that is taken now. */
export async function snapshotFor(
  context: OperationContext,
  { snapshotId, sourceId }: { snapshotId?: string | undefined; sourceId?: string | undefined },
): Promise<{ id: string; manifest: Manifest }> {
  let reference = snapshotId;
  if (reference === undefined) {
    const reason = 'for an artifact';
    const params = { type: 'full' as const, origin: 'manual' as const, reason, tags: [] };
    const taken = await backup.run(context, {
      ...params,
      ...(sourceId === undefined ? {} : { sourceId }),
    });
    reference = String(taken['snapshotId']);
  }
  const wanted = reference;
  return withReader(context.settings, async (reader) => {
    const id = reader.resolveSnapshot(wanted, sourceId);
    const manifest = await reader.readManifest(id);
    if (sourceId === undefined || manifest.source.id === sourceId) return { id, manifest };
    throw cannot('NOT_FOUND', 'find snapshot', wanted, `it is of "${manifest.source.name}"`);
  });
}

/** From a snapshot: one moment of the whole source. @throws NOT_FOUND, VERIFY_FAILED */
export async function layOutSubject(
  context: OperationContext,
  { id, manifest }: { readonly id: string; readonly manifest: Manifest },
  database: string,
): Promise<ArtifactSubject> {
  const { settings, activity, scratchDirectory } = context;
  const captured = manifest.databases.find(({ path }) => path === database);
  if (captured?.check.ok === false) {
    throw cannot('SOURCE_CORRUPT', 'make an artifact of', database, 'it failed its check', {
      hint: 'Recover it first, or choose an older snapshot.',
      details: { messages: captured.check.messages.slice(0, 10) },
    });
  }
  const path = join(scratchDirectory, `${database.replaceAll('/', '-')}.subject`);
  await withLease(context, id, 'artifact', () =>
    withReader(settings, (reader) => layOutDatabase(reader, id, database, path, activity)),
  );
  await markAsRollbackMode(path);
  const source = settings.sources.find((each) => each.id === manifest.source.id);
  return {
    path,
    database,
    source: manifest.source,
    snapshotId: id,
    capturedAt: manifest.capturedAt,
    settings: artifactSettingsOf(source, database),
  };
}

/** From any file: neither repository nor daemon is needed. */
export async function layOutFile(
  context: OperationContext,
  file: string,
): Promise<ArtifactSubject> {
  const path = join(context.scratchDirectory, 'file.subject');
  const capturedAt = isoTime(context.clock.nowMs());
  await copyLiveDatabase(file, path, context);
  await markAsRollbackMode(path);
  const database = file.slice(file.lastIndexOf('/') + 1);
  const settings = artifactSettingsOf(undefined, database);
  return { path, database, source: null, snapshotId: null, capturedAt, settings };
}
