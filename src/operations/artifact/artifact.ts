import { join } from 'node:path';
import { z } from 'zod';
import { PAYLOAD_FORMATS } from '../../artifacts/portable/manifest.ts';
import { verifyArtifact } from '../../artifacts/portable/verify-artifact.ts';
import {
  type Operation,
  type OperationContext,
  requireSource,
  sourceOrOnly,
} from '../operation.ts';
import { type ArtifactPlace, findArtifact } from './found.ts';
import { importArtifact } from './import.ts';
import { verifyKeysOf } from './keys.ts';
import { sealArtifact } from './payload.ts';
import { placeArtifact, requirePlace } from './place.ts';
import {
  artifactSettingsOf,
  chooseDatabase,
  layOutFile,
  layOutSubject,
  snapshotFor,
} from './subject.ts';

/** The state directory whose secrets are used: a command aside has none of its own. */
const secretsIn = z.string().min(1).optional();

const exporting = z.strictObject({
  action: z.literal('export'),
  /** Any SQLite file, instead of a source. */
  file: z.string().min(1).optional(),
  snapshotId: z.string().optional(),
  sourceId: z.string().optional(),
  database: z.string().optional(),
  payloadFormat: z.enum(PAYLOAD_FORMATS).optional(),
  to: z.string().min(1),
  overwrite: z.boolean().default(false),
  secretsIn,
});

const place = { from: z.string().min(1).optional(), ref: z.string().min(1).optional() };

const verifying = z.strictObject({
  action: z.literal('verify'),
  ...place,
  /** Whose versions it must fit. */
  sourceId: z.string().optional(),
  database: z.string().optional(),
  secretsIn,
});

const importing = z.strictObject({
  action: z.literal('import'),
  ...place,
  sourceId: z.string().optional(),
  database: z.string().optional(),
  force: z.boolean().default(false),
});

const fetching = z.strictObject({
  action: z.literal('fetch'),
  ref: z.string().min(1),
  to: z.string().min(1),
  overwrite: z.boolean().default(false),
});

const parameters = z
  .discriminatedUnion('action', [exporting, verifying, importing, fetching])
  .refine(
    (params) =>
      (params.action !== 'verify' && params.action !== 'import') ||
      (params.from === undefined) !== (params.ref === undefined),
    { message: 'give one of `from` and `ref`' },
  );

type Result = Record<string, unknown>;

function placeOf({
  from,
  ref,
}: {
  from?: string | undefined;
  ref?: string | undefined;
}): ArtifactPlace {
  return from === undefined ? { ref: ref! } : { from };
}

async function exportArtifact(
  context: OperationContext,
  params: z.infer<typeof exporting>,
): Promise<Result> {
  const { to, overwrite, file } = params;
  await requirePlace(context, to, overwrite);
  const subject =
    file === undefined ? await ofSource(context, params) : await layOutFile(context, file);
  const format = params.payloadFormat ?? subject.settings.payloadFormat;
  const sealed = await sealArtifact(context, subject, format, params.secretsIn);
  await placeArtifact(sealed, to);
  return { to, snapshotId: subject.snapshotId, manifest: sealed.manifest };
}

async function ofSource(
  context: OperationContext,
  { snapshotId, sourceId, database }: z.infer<typeof exporting>,
) {
  const source =
    sourceId === undefined && snapshotId !== undefined
      ? undefined
      : sourceOrOnly(context.settings, sourceId);
  const snapshot = await snapshotFor(context, { snapshotId, sourceId: source?.id });
  const captured = snapshot.manifest.databases.map(({ path }) => path);
  const thing = `snapshot ${snapshot.id.slice(0, 8)}`;
  return layOutSubject(context, snapshot, chooseDatabase(database, captured, thing));
}

async function verify(
  context: OperationContext,
  params: z.infer<typeof verifying>,
): Promise<Result> {
  const { settings, activity } = context;
  const { sourceId } = params;
  const source = sourceId === undefined ? undefined : requireSource(settings, sourceId);
  const found = await findArtifact(placeOf(params), settings);
  const configured = source?.artifacts.map(({ database }) => database) ?? [];
  const database =
    source && (params.database ?? chooseDatabase(undefined, configured, source.name));
  const manifest = await verifyArtifact(found, {
    keys: await verifyKeysOf(settings, params.secretsIn),
    settings: database === undefined ? null : artifactSettingsOf(source, database),
    force: false,
    copyTo: null,
    activity,
  });
  return { ok: true, artifact: found.name, manifest };
}

async function runImport(
  context: OperationContext,
  params: z.infer<typeof importing>,
): Promise<Result> {
  const source = sourceOrOnly(context.settings, params.sourceId);
  const found = await findArtifact(placeOf(params), context.settings);
  const configured = source.artifacts.map(({ database }) => database);
  const database = params.database ?? chooseDatabase(undefined, configured, source.name);
  const settings = artifactSettingsOf(source, database);
  return { ...(await importArtifact(context, found, { source, settings, force: params.force })) };
}

async function fetchArtifact(
  context: OperationContext,
  { ref, to, overwrite }: z.infer<typeof fetching>,
): Promise<Result> {
  const { settings, activity, scratchDirectory } = context;
  await requirePlace(context, to, overwrite);
  const found = await findArtifact({ ref }, settings);
  const payloadPath = join(scratchDirectory, 'payload');
  const manifest = await verifyArtifact(found, {
    keys: await verifyKeysOf(settings),
    settings: null,
    force: false,
    copyTo: payloadPath,
    activity,
  });
  await placeArtifact({ payloadPath, manifestText: found.manifestText }, to);
  return { to, ref: found.name, manifest };
}

/** Portable artifacts: one made, one looked at, one put in a database's place, one brought from the store. */
export const artifact: Operation<z.infer<typeof parameters>> = {
  kind: 'artifact',
  params: parameters,
  run(context, params) {
    switch (params.action) {
      case 'export':
        return exportArtifact(context, params);
      case 'verify':
        return verify(context, params);
      case 'import':
        return runImport(context, params);
      case 'fetch':
        return fetchArtifact(context, params);
    }
  },
};
