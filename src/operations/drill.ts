import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { SourceSettings } from '../config/settings.ts';
import { cannot, HoldfastError } from '../kernel/errors.ts';
import { restoreSnapshot } from '../restore/restore-snapshot.ts';
import { checkDatabase } from '../sqlite/database-check.ts';
import { isConstraintOnly } from '../sqlite/integrity-messages.ts';
import { isRegular, type Manifest } from '../store/manifests/manifest.ts';
import type { StoreReader } from '../store/store.ts';
import { type AssertionOutcome, evaluateAssertions } from './assertions.ts';
import { type Operation, type OperationContext, requireSource } from './operation.ts';
import { withLease, withReader } from './repository-access.ts';
import { recordVerifications } from './verification-notes.ts';

const parameters = z.strictObject({
  /** Absent: every source. */
  sourceId: z.string().optional(),
});

/** One source's newest good snapshot, brought back as a person would, and looked at. */
interface Drilled {
  readonly sourceId: string;
  readonly snapshotId: string;
  readonly capturedAt: string;
  readonly ok: boolean;
  readonly findings: readonly string[];
  readonly databases: number;
  readonly assertions: readonly AssertionOutcome[];
  readonly bytes: number;
  /** To bring everything back; the rest of `durationMs` went into checks. */
  readonly restoreMs: number;
  readonly durationMs: number;
}

/** What says that the snapshot does not restore; anything else says that the drill could not be held. */
const DAMAGE: ReadonlySet<string> = new Set([
  'VERIFY_FAILED',
  'REPO_CORRUPT',
  'PATH_NOT_FOUND',
  'LIMIT_EXCEEDED',
]);

/** Brings the snapshot back to `directory`. Returns bytes written, or what is wrong with the snapshot. */
async function bringBack(
  { settings, activity, clock, jobId }: OperationContext,
  reader: StoreReader,
  snapshotId: string,
  directory: string,
): Promise<{ bytes: number; finding: string | null }> {
  try {
    const { bytesWritten } = await restoreSnapshot(
      {
        snapshotId,
        target: { type: 'directory', path: directory },
        paths: [],
        classes: [],
        overwrite: 'never',
        dryRun: false,
        check: 'none',
        forbiddenPaths: [settings.repositoryDirectory, settings.socketPath],
        // Of its own: what is restored goes to scratch, which lies inside the real one.
        stateDirectory: `${directory}-state`,
        jobId,
        sourceId: null,
      },
      reader,
      activity,
      clock,
    );
    return { bytes: bytesWritten, finding: null };
  } catch (error) {
    activity.signal.throwIfAborted();
    if (error instanceof HoldfastError && DAMAGE.has(error.code)) {
      return { bytes: 0, finding: error.message };
    }
    throw error;
  }
}

/** Every database as it came back, checked in full. */
function checkDatabases(
  { databases }: Manifest,
  directory: string,
  { activity }: OperationContext,
): string[] {
  const findings: string[] = [];
  for (const [index, { path }] of databases.entries()) {
    activity.signal.throwIfAborted();
    const counts = { filesDone: index, totalFiles: databases.length };
    activity.progress({ phase: 'check databases', currentFile: path, ...counts });
    const { ok, messages } = checkDatabase(join(directory, ...path.split('/')), 'full');
    if (ok || isConstraintOnly(messages)) continue;
    findings.push(`${path}: ${messages.slice(0, 3).join('; ')}`);
  }
  return findings;
}

async function drillSource(
  source: SourceSettings,
  reader: StoreReader,
  context: OperationContext,
): Promise<Drilled> {
  const { clock, activity, scratchDirectory } = context;
  const newest = reader
    .listSnapshots({ sourceId: source.id, goodOnly: true })
    .find((summary) => summary.type !== 'config' && isRegular(summary));
  if (newest === undefined) {
    throw cannot('NO_BACKUP', 'drill', source.name, 'it has no good snapshot', {
      hint: `Take one: holdfast backup ${source.name}.`,
    });
  }
  const { id: snapshotId, capturedAt } = newest;
  const manifest = await reader.readManifest(snapshotId);
  const directory = join(scratchDirectory, 'drill');
  const startedMs = clock.monotonicMs();
  try {
    activity.progress({ phase: 'restore', currentFile: source.name });
    const { bytes, finding } = await withLease(context, snapshotId, 'drill', () =>
      bringBack(context, reader, snapshotId, directory),
    );
    const restoreMs = Math.round(clock.monotonicMs() - startedMs);
    const findings = finding === null ? checkDatabases(manifest, directory, context) : [finding];
    activity.progress({ phase: 'evaluate assertions' });
    const assertions =
      finding === null ? evaluateAssertions(source.assertions, directory, activity.signal) : [];
    for (const { name, message } of assertions) {
      if (message !== null) findings.push(`assertion "${name}": ${message}`);
    }
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    const about = { sourceId: source.id, snapshotId, capturedAt, bytes, assertions };
    const databases = manifest.databases.length;
    const ok = findings.length === 0;
    activity.log(`${source.name}: ${snapshotId.slice(0, 8)} ${ok ? 'restores' : findings[0]}`);
    return { ...about, ok, findings, databases, restoreMs, durationMs };
  } finally {
    for (const each of [directory, `${directory}-state`]) {
      await rm(each, { recursive: true, force: true });
    }
  }
}

/** Proves that data comes back: the newest good snapshot is restored to scratch, checked, and held against assertions. */
export const drill: Operation<z.infer<typeof parameters>> = {
  kind: 'drill',
  params: parameters,
  async run(context, { sourceId }) {
    const { settings, clock, activity } = context;
    const sources = sourceId === undefined ? settings.sources : [requireSource(settings, sourceId)];
    const drills = await withReader(settings, async (reader) => {
      const held: Drilled[] = [];
      for (const source of sources) {
        activity.signal.throwIfAborted();
        held.push(await drillSource(source, reader, context));
      }
      return held;
    });
    const notes = drills.map(({ snapshotId, ok, findings, durationMs }) => {
      return { snapshotId, level: 'drill', ok, findings, durationMs } as const;
    });
    await recordVerifications(notes, settings, clock, activity);
    const failed = drills.find(({ ok }) => !ok);
    if (failed === undefined) return { ok: true, drills };
    const { snapshotId, findings } = failed;
    throw cannot('VERIFY_FAILED', 'restore snapshot in a drill', snapshotId, findings[0]!, {
      hint: 'Look at what the drill found, then at older snapshots: holdfast verify --all --deep.',
      details: { drills },
    });
  },
};
