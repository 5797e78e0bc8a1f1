import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { cannot } from '../kernel/errors.ts';
import { checkDatabase } from '../sqlite/database-check.ts';
import { extractContent } from '../store/chunks/extract-content.ts';
import { isRegular } from '../store/manifests/manifest.ts';
import { verifySnapshot } from '../store/repository.ts';
import type { StoreReader } from '../store/store.ts';
import { type Operation, type OperationContext, requireSource } from './operation.ts';
import { withLease, withReader } from './repository-access.ts';
import { recordVerifications, type Verified } from './verification-notes.ts';

const parameters = z.strictObject({
  snapshots: z
    .union([z.array(z.string().min(1)).min(1).max(1000), z.literal('latest'), z.literal('all')])
    .default('latest'),
  sourceId: z.string().optional(),
  deep: z.boolean().default(false),
});

type VerifyParameters = z.infer<typeof parameters>;

function chooseSnapshots(
  reader: StoreReader,
  { settings }: OperationContext,
  { snapshots, sourceId }: VerifyParameters,
): string[] {
  const source = sourceId === undefined ? undefined : requireSource(settings, sourceId);
  if (Array.isArray(snapshots)) {
    return snapshots.map((reference) => reader.resolveSnapshot(reference, source?.id));
  }
  const listed = reader.listSnapshots(source === undefined ? {} : { sourceId: source.id });
  if (snapshots === 'all') return listed.map(({ id }) => id);
  // The newest of every source.
  const newest = new Map<string, string>();
  for (const summary of listed) {
    if (isRegular(summary) && !newest.has(summary.sourceId)) {
      newest.set(summary.sourceId, summary.id);
    }
  }
  return [...newest.values()];
}

/** Lays every database of a snapshot out in scratch, one at a time, and has SQLite check it. */
async function checkRestoredDatabases(
  reader: StoreReader,
  snapshotId: string,
  { activity, scratchDirectory }: OperationContext,
): Promise<string[]> {
  const findings: string[] = [];
  const manifest = await reader.readManifest(snapshotId);
  for (const { path, check } of manifest.databases) {
    activity.signal.throwIfAborted();
    activity.progress({ phase: 'check databases', currentFile: path });
    const entry = await reader.findEntry(manifest, path);
    if (entry.type !== 'database') continue;
    const image = join(scratchDirectory, 'verify.db');
    const handle = await open(image, 'w', 0o600);
    try {
      await extractContent(reader, entry.content, handle, activity);
    } finally {
      await handle.close();
    }
    const result = checkDatabase(image, 'full');
    await rm(image, { force: true });
    // A database that was captured corrupt, as evidence, is no fault of the snapshot.
    if (!result.ok && check.ok) findings.push(`${path}: ${result.messages.slice(0, 3).join('; ')}`);
  }
  return findings;
}

/** Verifies one snapshot; what is wrong with it is a result. */
export async function verifyOne(
  reader: StoreReader,
  snapshotId: string,
  context: OperationContext,
  deep: boolean,
): Promise<Verified> {
  const { activity } = context;
  const stored = await verifySnapshot(reader, snapshotId, { deep }, activity);
  const findings = [...stored.findings];
  if (deep && stored.ok)
    findings.push(...(await checkRestoredDatabases(reader, snapshotId, context)));
  const ok = findings.length === 0 && stored.ok;
  activity.log(`${snapshotId.slice(0, 8)}: ${ok ? 'ok' : findings[0]}`);
  return { snapshotId, ok, level: deep ? 'deep' : 'shallow', findings };
}

/** Proves that snapshots can be restored: their structure, or with `deep` every byte and every database. */
export const verify: Operation<VerifyParameters> = {
  kind: 'verify',
  params: parameters,
  async run(context, params) {
    const { settings, clock, activity } = context;
    const verified = await withReader(settings, async (reader) => {
      const results: Verified[] = [];
      const ids = chooseSnapshots(reader, context, params);
      for (const id of ids) {
        activity.signal.throwIfAborted();
        const verifying = () => verifyOne(reader, id, context, params.deep);
        results.push(await withLease(context, id, 'verify', verifying));
      }
      return results;
    });
    await recordVerifications(verified, settings, clock, activity);
    const failed = verified.filter(({ ok }) => !ok);
    if (failed.length > 0) {
      const [first] = failed;
      throw cannot(
        'VERIFY_FAILED',
        'verify snapshot',
        first!.snapshotId,
        first!.findings[0] ?? 'it does not verify',
        {
          hint: 'Run holdfast check --read-data-subset 100% to see how far the damage goes; other snapshots may still restore.',
          details: { verified },
        },
      );
    }
    return { ok: true, verified };
  },
};
