import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hostPathOf } from '../../config/root-paths.ts';
import type { SourceSettings } from '../../config/settings.ts';
import { bringFile } from '../../files/bring-file.ts';
import { removeDurably, syncDirectory } from '../../files/durable.ts';
import { identify } from '../../files/entry-identity.ts';
import { requireFreeSpace } from '../../files/free-space.ts';
import {
  checkLogicalPath,
  isInside,
  nearestExisting,
  realpathOfPlanned,
  resolveBelow,
} from '../../files/safe-path.ts';
import { cannot } from '../../kernel/errors.ts';
import { BusyGuard } from '../../restore/busy-guard.ts';
import { installStaged } from '../../restore/install-staged.ts';
import { StagingPlaces } from '../../restore/staging-places.ts';
import { checkDatabase } from '../../sqlite/database-check.ts';
import { type FamilyStat, SIDECAR_SUFFIXES } from '../../sqlite/family.ts';
import { isConstraintOnly } from '../../sqlite/integrity-messages.ts';
import type { AssertionOutcome } from '../assertions.ts';
import { type OperationContext, ownPaths } from '../operation.ts';
import { withHooks } from '../with-hooks.ts';
import { type CheckpointReason, takeCheckpoint } from './checkpoint.ts';
import { proveRestored } from './proof.ts';
import { StoppedService } from './service.ts';

/** A database that was made elsewhere, to stand in the place of one of a source. */
export interface DatabaseReplacement {
  readonly source: SourceSettings;
  /** Logical path, `data/app.db`; need not exist. */
  readonly database: string;
  /** Absolute, on any file system, complete in itself; not written any more, and the caller's to remove. */
  readonly stagedPath: string;
  /** Of the snapshot of what is replaced. */
  readonly origin: CheckpointReason['origin'];
  /** What this is, in a few words: `import of orders.sql`. */
  readonly note: string;
  /** False: no snapshot of what is replaced; its files are kept in quarantine in any case. */
  readonly checkpoint: boolean;
  readonly check: 'quick' | 'full';
  /** As the family stood when the staged database was made from it; a write since then refuses the replacement. */
  readonly expected?: FamilyStat;
  /** Makes the staged database anew, in place of `expected`, of what stands there once the application has stopped. */
  readonly build?: (path: string) => Promise<FamilyStat>;
  /** Evaluated with everything in place, after the source's own assertions: a rejection puts the old state back. */
  readonly afterSwap?: (path: string) => Promise<void>;
}

export interface DatabaseReplaced {
  /** Absolute. */
  readonly path: string;
  /** Where what was replaced is kept; null where nothing was. */
  readonly quarantineId: string | null;
  readonly preRestoreSnapshotId: string | null;
  readonly assertions: readonly AssertionOutcome[];
}

/**
 * Where a database of a source stands, or would.
 * @throws NOT_FOUND for a path below no root of it, PATH_UNSAFE, NOT_A_DIRECTORY
 */
export async function databasePlace(
  { source, database }: Pick<DatabaseReplacement, 'source' | 'database'>,
  forbidden: readonly string[],
): Promise<string> {
  checkLogicalPath(database);
  const path = hostPathOf(source, database);
  const root = source.roots.find((each) => path !== null && isInside(path, each.path));
  if (path === null || root === undefined) {
    throw cannot('NOT_FOUND', 'replace database', database, `"${source.name}" has no such root`, {
      hint: 'Paths begin with data/, config/ or extra/<name>/.',
    });
  }
  const base = await realpathOfPlanned(root.path);
  const components = path.slice(root.path.replace(/\/$/, '').length + 1).split('/');
  const place = (await resolveBelow(base, components)).path;
  const own = forbidden.find((each) => isInside(place, each));
  if (own !== undefined) {
    throw cannot('PATH_UNSAFE', 'replace database', place, `it lies inside "${own}"`, {
      hint: 'Holdfast’s own files are never replaced.',
    });
  }
  const kind = (await identify(place))?.kind ?? 'file';
  if (kind === 'file') return place;
  throw cannot('PATH_UNSAFE', 'replace database', place, `a ${kind} stands there`, {
    hint: 'Name the database itself.',
  });
}

/**
 * Puts a staged database in place: checked, hooks and service commands around it, a snapshot of what it replaces first,
 * swapped as one, proven by the source's assertions. Whatever fails leaves, or puts back, what was there.
 * @throws TARGET_BUSY while it is in use or was written since `expected`, VERIFY_FAILED, NOT_FOUND, PATH_UNSAFE, NO_SPACE
 */
export async function replaceDatabase(
  context: OperationContext,
  request: DatabaseReplacement,
): Promise<DatabaseReplaced> {
  const { settings } = context;
  const { source } = request;
  const path = await databasePlace(request, [...ownPaths(settings), settings.stateDirectory]);
  if (source.service === null) await new BusyGuard([path]).requireFree();
  const work = { kind: 'restore', before: 'preRestore', after: 'postRestore' } as const;
  const { hooks: _hooks, ...replaced } = await withHooks(
    context,
    source,
    { ...work, snapshotId: null },
    async () => ({ ...(await replaceStopped(context, request, path)) }),
  );
  return replaced;
}

async function replaceStopped(
  context: OperationContext,
  request: DatabaseReplacement,
  path: string,
): Promise<DatabaseReplaced> {
  const { source, database } = request;
  const { stateDirectory } = context.settings;
  const outside = [...ownPaths(context.settings), ...source.roots.map((root) => root.path)];
  const places = new StagingPlaces({ stateDirectory, outside });
  const stopped = await StoppedService.stop(context, source);
  let preRestoreSnapshotId: string | null = null;
  let assertions: readonly AssertionOutcome[] = [];
  try {
    const expected = request.build === undefined ? request.expected : await request.build(path);
    const guard = new BusyGuard([path], new Map(expected === undefined ? [] : [[path, expected]]));
    const staged = await stageAt(await places.for(path), path, request);
    const swap = await installStaged(
      {
        stateDirectory,
        jobId: context.jobId,
        sourceId: source.id,
        note: request.note,
        items: [{ target: path, staged, family: true }],
        directories: [],
        beforeSwap: async () => {
          if (!request.checkpoint || (await identify(path)) === null) return;
          const about = { origin: request.origin, reason: `before the ${request.note}` };
          preRestoreSnapshotId = await takeCheckpoint(context, source.id, [database], about);
        },
        afterSwap: async () => {
          assertions = await proveRestored(context, source, stopped, [database]);
          await request.afterSwap?.(path);
        },
      },
      guard,
      places,
      context.clock,
      context.activity,
    );
    return { path, quarantineId: swap?.quarantineId ?? null, preRestoreSnapshotId, assertions };
  } finally {
    await stopped.startAgain();
    await places.remove();
  }
}

/** Mode and owner: of what is replaced; a new database belongs to whoever its directory belongs to. */
async function looksOf(target: string): Promise<{ mode: number; uid: number; gid: number }> {
  if ((await identify(target)) !== null) return stat(target);
  const { uid, gid } = await stat(await nearestExisting(dirname(target)));
  return { mode: 0o600, uid, gid };
}

/** Beside its target, with the mode and owner of what it replaces, and checked under the name it is swapped in by. */
async function stageAt(
  directory: string,
  target: string,
  { stagedPath, check }: DatabaseReplacement,
): Promise<string> {
  const staged = join(directory, basename(target));
  const bytes = (await identify(stagedPath))?.bytes ?? 0;
  await requireFreeSpace(directory, bytes, 'replace a database in');
  await bringFile(stagedPath, staged, await looksOf(target));
  await syncDirectory(directory);
  const { ok, messages } = checkDatabase(staged, check);
  for (const suffix of SIDECAR_SUFFIXES) await removeDurably(`${staged}${suffix}`);
  if (ok || isConstraintOnly(messages)) return staged;
  throw cannot('VERIFY_FAILED', 'replace database', target, messages[0] ?? 'it is damaged', {
    hint: 'Nothing was replaced.',
    details: { messages: messages.slice(0, 20) },
  });
}
