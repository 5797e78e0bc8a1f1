import { z } from 'zod';
import type { ArtifactSettings } from '../../config/artifact-settings.ts';
import type { SourceSettings } from '../../config/settings.ts';
import { cannot, messageOf, toErrorDocument } from '../../kernel/errors.ts';
import { isRegular } from '../../store/manifests/manifest.ts';
import { type Operation, type OperationContext, requireSource } from '../operation.ts';
import { withReader } from '../repository-access.ts';
import { findArtifact } from './found.ts';
import { importArtifact, judgePlace } from './import.ts';

const parameters = z.strictObject({
  /** Absent: every source. */
  sourceId: z.string().optional(),
});

interface Bootstrapped {
  readonly sourceId: string;
  readonly database: string;
  readonly action: 'made' | 'skipped';
  /** What it was made of, or why it was left alone. */
  readonly reason: string;
  readonly cursor: string | null;
}

/** What the newest snapshot has was lost, not new: recovery says so, and has something newer than any artifact. */
async function hasSnapshot(
  { settings }: OperationContext,
  source: SourceSettings,
  database: string,
): Promise<boolean> {
  try {
    return await withReader(settings, async (reader) => {
      const newest = reader
        .listSnapshots({ sourceId: source.id })
        .find((summary) => isRegular(summary) && summary.type !== 'config');
      if (newest === undefined) return false;
      const { databases } = await reader.readManifest(newest.id);
      return databases.some(({ path }) => path === database);
    });
  } catch (error) {
    if (toErrorDocument(error).code === 'REPO_UNINITIALISED') return false;
    throw error;
  }
}

async function bootstrapOne(
  context: OperationContext,
  source: SourceSettings,
  settings: ArtifactSettings,
): Promise<Bootstrapped> {
  const { activity } = context;
  const { database, bootstrapRef, bootstrapPath } = settings;
  const about = { sourceId: source.id, database };
  const skipped = (reason: string): Bootstrapped => {
    activity.log(`${source.name}: ${database} is not bootstrapped: ${reason}`);
    return { ...about, action: 'skipped', reason, cursor: null };
  };
  const { fresh, state } = await judgePlace(context, source, settings);
  if (!fresh) return skipped(state);
  if (await hasSnapshot(context, source, database)) return skipped('there are snapshots of it');
  const place = bootstrapRef === null ? { from: bootstrapPath! } : { ref: bootstrapRef };
  const found = await findArtifact(place, context.settings);
  const { manifest, artifact } = await importArtifact(context, found, {
    source,
    settings,
    force: false,
  });
  activity.log(`${source.name}: ${database} is bootstrapped from ${artifact}`);
  return { ...about, action: 'made', reason: artifact, cursor: manifest.cursor };
}

/** Databases that are not there yet are made from artifacts, before anything opens them. All of them, or it fails. */
export const bootstrap: Operation<z.infer<typeof parameters>> = {
  kind: 'bootstrap',
  params: parameters,
  async run(context, { sourceId }) {
    const { settings } = context;
    const sources = sourceId === undefined ? settings.sources : [requireSource(settings, sourceId)];
    const databases: Bootstrapped[] = [];
    for (const source of sources) {
      for (const each of source.artifacts) {
        if (each.bootstrapRef === null && each.bootstrapPath === null) continue;
        context.activity.signal.throwIfAborted();
        databases.push(await makeOrRefuse(context, source, each));
      }
    }
    return { databases };
  },
};

async function makeOrRefuse(
  context: OperationContext,
  source: SourceSettings,
  settings: ArtifactSettings,
): Promise<Bootstrapped> {
  try {
    return await bootstrapOne(context, source, settings);
  } catch (error) {
    context.activity.signal.throwIfAborted();
    const { code, hint, details } = toErrorDocument(error);
    const thing = `${settings.database} of ${source.name}`;
    throw cannot(code, 'bootstrap', thing, messageOf(error), {
      ...(hint === undefined ? {} : { hint }),
      ...(details === undefined ? {} : { details }),
      cause: error,
    });
  }
}

/** Where no daemon runs, the gate before the application stands for its boot. A failure is the gate's. */
export async function bootstrapBeforeGate(
  context: OperationContext,
  params: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { mode = 'if-needed', dryRun = false, database, to, sourceId } = params;
  if (mode !== 'if-needed' || dryRun !== false || database !== undefined || to !== undefined)
    return;
  await bootstrap.run(context, typeof sourceId === 'string' ? { sourceId } : {});
}
