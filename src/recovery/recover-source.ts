import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import picomatch from 'picomatch';
import type { SourceSettings } from '../config/settings.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot, messageOf, systemCode } from '../kernel/errors.ts';
import { discoverDatabases } from '../sqlite/discover.ts';
import type { StoreReader } from '../store/store.ts';
import { readBootId } from './boot-id.ts';
import { CheckLedger } from './check-ledger.ts';
import { readCleanShutdown } from './clean-shutdown.ts';
import { type DatabaseOutcome, describeOutcome } from './finding.ts';
import type { LossPolicy } from './loss-policy.ts';
import { DatabaseRecovery } from './recover-database.ts';
import type { DatabaseState } from './report.ts';
import { logicalPaths, SnapshotDatabases } from './snapshot-databases.ts';

export type { DatabaseOutcome } from './finding.ts';

export interface RecoverRequest {
  readonly source: SourceSettings;
  readonly stateDirectory: string;
  readonly scratchDirectory: string;
  readonly jobId: string | null;
  /** Absolute; absent: those found in the data roots and those the newest snapshot has. */
  readonly databases?: readonly string[];
  /** `if-needed`: what is known to be sound is skipped. `force`: all are checked in full. `check-only`: so, and nothing is repaired. */
  readonly mode: 'if-needed' | 'force' | 'check-only';
  /** Builds and reports what would be installed, and installs nothing. */
  readonly dryRun: boolean;
  /** Installs the best repair whatever the source's policy says of its loss. */
  readonly acceptLoss?: boolean;
  /** The one snapshot that a repair may use: an id, a unique prefix of it, or `latest`. */
  readonly from?: string;
}

export interface RecoverSourceResult {
  /** Every database may be used: none waits for a person, none could not be looked at. */
  readonly ok: boolean;
  readonly checked: number;
  readonly skipped: number;
  readonly recovered: number;
  /** Untouched, waiting for a person: damaged, regressed, encrypted, missing. */
  readonly needsOperator: number;
  readonly busy: number;
  readonly databases: readonly DatabaseOutcome[];
}

export interface RecoveryServices {
  /** Null where there is no repository yet. */
  openRepository(): Promise<StoreReader | null>;
}

/** Recovery does what it can without a repository that is missing or cannot be opened. */
async function openSnapshots(
  request: RecoverRequest,
  services: RecoveryServices,
  activity: Activity,
): Promise<{ reader: StoreReader; snapshots: SnapshotDatabases } | null> {
  let reader: StoreReader | null = null;
  const warn = (message: string): void => activity.warn(message);
  try {
    reader = await services.openRepository();
    if (reader === null) return null;
    return { reader, snapshots: new SnapshotDatabases(reader, request.source, warn) };
  } catch (error) {
    reader?.close();
    warn(`Recovery goes on without snapshots: ${messageOf(error)}`);
    return null;
  }
}

/** @throws NOT_FOUND, AMBIGUOUS_ID; NO_BACKUP where no repository can be read */
export async function resolveFrom(
  reference: string,
  source: SourceSettings,
  reader: StoreReader | null,
): Promise<string> {
  if (reader === null) {
    throw cannot('NO_BACKUP', 'recover from', reference, 'there is no repository to read it from');
  }
  const id = reader.resolveSnapshot(reference, source.id);
  const { source: owner } = await reader.readManifest(id);
  if (owner.id === source.id) return id;
  throw cannot('NOT_FOUND', 'recover from', reference, `it is a snapshot of "${owner.name}"`);
}

/** A path that was given may lead through symlinks; what is swapped is the file itself. */
async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return path;
    throw error;
  }
}

async function databasesOf(
  { source, databases }: RecoverRequest,
  snapshots: SnapshotDatabases | null,
): Promise<string[]> {
  if (databases !== undefined) return Promise.all(databases.map(resolved));
  const isExcluded = picomatch([...source.exclude], { dot: true });
  const exclude = (path: string): boolean =>
    logicalPaths(source, path).some((each) => isExcluded(each));
  const found = new Set<string>();
  for (const root of source.roots.filter((each) => each.class === 'data')) {
    const paths = await discoverDatabases(root.path, { depth: source.databases.depth, exclude });
    for (const path of paths) found.add(path);
  }
  for (const path of (await snapshots?.newestPaths()) ?? []) {
    if (!exclude(path)) found.add(path);
  }
  return [...found].sort();
}

function policyOf({ recovery }: SourceSettings): LossPolicy {
  const { allowPartial, maxLossRows, maxSnapshotAgeMs } = recovery;
  return { allowPartial, maxLossRows, maxSnapshotAgeMs };
}

const FINE: ReadonlySet<DatabaseState> = new Set(['ok', 'skipped', 'recovered']);

function summarise(databases: readonly DatabaseOutcome[]): RecoverSourceResult {
  const count = (matches: (state: DatabaseState) => boolean): number =>
    databases.filter(({ state }) => matches(state)).length;
  const skipped = count((state) => state === 'skipped');
  const busy = count((state) => state === 'busy');
  return {
    ok: databases.every(({ state }) => FINE.has(state)),
    checked: databases.length - skipped,
    skipped,
    recovered: count((state) => state === 'recovered'),
    needsOperator: count((state) => !FINE.has(state) && state !== 'busy'),
    busy,
    databases,
  };
}

/**
 * Checks the databases of a source and repairs the damaged ones, each on its own. What is wrong with a database is its
 * outcome; an error is thrown only for what stops the whole.
 */
export async function recoverSource(
  request: RecoverRequest,
  services: RecoveryServices,
  activity: Activity,
  clock: Clock,
): Promise<RecoverSourceResult> {
  const { source, stateDirectory } = request;
  const opened = await openSnapshots(request, services, activity);
  try {
    const snapshots = opened?.snapshots ?? null;
    const reference = request.from;
    const from =
      reference === undefined ? null : await resolveFrom(reference, source, opened?.reader ?? null);
    const paths = await databasesOf(request, snapshots);
    const context = {
      sourceId: source.id,
      stateDirectory,
      jobId: request.jobId,
      forbiddenPaths: source.roots.map(({ path }) => path),
      deadlineMsPerGigabyte: source.recovery.deadlineMsPerGigabyte,
      mode: request.mode,
      dryRun: request.dryRun,
      policy: request.acceptLoss === true ? null : policyOf(source),
      snapshots,
      from,
      ledger: await CheckLedger.open(stateDirectory),
      shutdownWasClean: (await readCleanShutdown(stateDirectory)) !== null,
      bootId: await readBootId(),
    };
    const outcomes: DatabaseOutcome[] = [];
    for (const [index, path] of paths.entries()) {
      activity.signal.throwIfAborted();
      const phase = 'check databases';
      activity.progress({ phase, currentFile: path, filesDone: index, totalFiles: paths.length });
      const scratchDirectory = join(request.scratchDirectory, `recover-${index}`);
      const recovery = new DatabaseRecovery(path, { ...context, scratchDirectory }, clock);
      const outcome = await recovery.run(activity);
      outcomes.push(outcome);
      if (FINE.has(outcome.state)) activity.log(describeOutcome(outcome));
      else activity.warn(describeOutcome(outcome));
    }
    activity.progress({ filesDone: paths.length, totalFiles: paths.length });
    return summarise(outcomes);
  } finally {
    opened?.reader.close();
  }
}
