import { basename } from 'node:path';
import { realPathOf } from '../../config/own-places.ts';
import { cannot } from '../../kernel/errors.ts';
import { statFamily } from '../../sqlite/family.ts';
import type { Manifest, ManifestDatabase } from '../../store/manifests/manifest.ts';
import type { StoreReader } from '../../store/store.ts';
import { backup } from '../backup.ts';
import { type Operation, type OperationContext, sourceOrOnly } from '../operation.ts';
import { withLease, withReader } from '../repository-access.ts';
import { resolveSnapshot } from '../restore/guards.ts';
import { copyLiveDatabase, layOutDatabase } from '../restore/staged-database.ts';
import { exportArchive } from './archive.ts';
import { exportDatabase } from './database.ts';
import { type ExportParameters, exportParameters, isDatabaseFormat } from './parameters.ts';
import { type ExportTarget, openTarget } from './target.ts';

/** Whether the result is read back: by itself where nobody waits for its first byte. */
const wantsProof = ({ verify, to }: ExportParameters): boolean => verify ?? to.type === 'file';

/** A snapshot of the source, taken for this export. */
async function takenNow(context: OperationContext, sourceId: string): Promise<string> {
  const { id } = sourceOrOnly(context.settings, sourceId);
  const params = backup.params.parse({ sourceId: id, reason: 'for an export' });
  return String((await backup.run(context, params))['snapshotId']);
}

/** @throws PATH_NOT_FOUND, INVALID_PARAMS where several could be meant */
function chosenDatabase(manifest: Manifest, path: string | undefined): ManifestDatabase {
  const { databases } = manifest;
  const chosen = databases.filter((each) => path === undefined || each.path === path);
  if (chosen.length === 1) return chosen[0]!;
  const names = databases.map((each) => each.path).slice(0, 20);
  const state =
    path === undefined
      ? `the snapshot holds ${databases.length} databases`
      : 'the snapshot has no database there';
  const code = path === undefined ? 'INVALID_PARAMS' : 'PATH_NOT_FOUND';
  throw cannot(code, 'export database', path ?? '', state, {
    hint: names.length === 0 ? 'It holds none.' : `Name one of: ${names.join(', ')}.`,
    details: { databases: names },
  });
}

async function exportSnapshot(
  context: OperationContext,
  params: ExportParameters,
  reader: StoreReader,
  snapshotId: string,
  target: ExportTarget,
): Promise<Record<string, unknown>> {
  const { activity } = context;
  const manifest = await reader.readManifest(snapshotId);
  const { format, paths, classes, plain, tables = null } = params;
  const about = { snapshotId, sourceId: manifest.source.id, capturedAt: manifest.capturedAt };
  if (!isDatabaseFormat(format)) {
    const request = { manifest, format, paths, classes };
    // Every chunk was verified as it was read.
    return { ...about, ...(await exportArchive(context, reader, request, target)), verified: true };
  }
  const { path, check, pageBytes, pageCount } = chosenDatabase(manifest, params.database);
  if (!check.ok) {
    activity.warn(`${path} was damaged when it was captured: ${check.messages[0] ?? 'see show'}`);
  }
  const exported = await exportDatabase(
    context,
    {
      ...{ format, database: path, tables, plain, snapshotId, isSound: check.ok },
      verify: wantsProof(params),
      bytes: pageBytes * pageCount,
      layOut: (to) => layOutDatabase(reader, snapshotId, path, to, activity),
    },
    target,
  );
  return { ...about, ...exported };
}

/** Any SQLite file. Of its own files and their directory nothing changes. */
async function exportFile(
  context: OperationContext,
  params: ExportParameters,
  file: string,
  target: ExportTarget,
): Promise<Record<string, unknown>> {
  const { format, plain, tables = null } = params;
  if (!isDatabaseFormat(format)) throw cannot('INVALID_PARAMS', 'export', file, 'it is no archive');
  const path = await realPathOf(file);
  const { main, wal } = await statFamily(path);
  const exported = await exportDatabase(
    context,
    {
      ...{ format, database: basename(file), tables, plain, snapshotId: null, isSound: null },
      verify: wantsProof(params),
      bytes: (main?.bytes ?? 0) + (wal?.bytes ?? 0),
      layOut: async (to) => void (await copyLiveDatabase(path, to, context)),
    },
    target,
  );
  return { snapshotId: null, sourceId: null, file, ...exported };
}

async function exportInto(
  context: OperationContext,
  params: ExportParameters,
  target: ExportTarget,
): Promise<Record<string, unknown>> {
  const { file, sourceId } = params;
  if (file !== undefined) return exportFile(context, params, file, target);
  const wanted = params.snapshotId ?? (await takenNow(context, sourceId!));
  return withReader(context.settings, async (reader) => {
    const { snapshotId } = await resolveSnapshot(reader, context, { snapshotId: wanted, sourceId });
    // While it is read a snapshot stays, whatever a policy says meanwhile.
    return withLease(context, snapshotId, 'export', () =>
      exportSnapshot(context, params, reader, snapshotId, target),
    );
  });
}

/** Writes a snapshot, or a part of it, as one file that other programs read. */
export const exportOperation: Operation<ExportParameters> = {
  kind: 'export',
  params: exportParameters,
  async run(context, params) {
    const { format, to, overwrite } = params;
    const spool = to.type === 'socket' && params.verify === true;
    const target = await openTarget(context, { to, overwrite, isDatabase: format === 'db', spool });
    try {
      const exported = await exportInto(context, params, target);
      return { format, ...exported, ...(await target.seal()) };
    } finally {
      await target.close();
    }
  },
};
