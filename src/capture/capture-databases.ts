import { standBack, stepForward } from '../host/process-priority.ts';
import { HoldfastError } from '../kernel/errors.ts';
import { statFamily } from '../sqlite/family.ts';
import { databaseFingerprint } from '../sqlite/fingerprint.ts';
import {
  type PinnedDatabase,
  type PinnedSet,
  type PinOptions,
  pinDatabases,
} from '../sqlite/pinned-read.ts';
import type { DatabaseCopy } from './database-copy.ts';
import type { CapturedDatabase, DatabaseContext, DatabaseTask } from './database-task.ts';
import type { FoundDatabase } from './find-databases.ts';
import { LogPatience, LogTooLong } from './log-patience.ts';
import { type DoneAhead, readAhead } from './read-ahead.ts';
import { storeDatabase } from './store-database.ts';

export interface CapturedDatabases {
  /** By absolute path; one that vanished meanwhile is not among them. */
  readonly captured: ReadonlyMap<string, CapturedDatabase>;
  /** Wall clock of the moment all of them are as of; null without databases. */
  readonly momentMs: number | null;
}

/** How long an application may keep a database locked before the capture fails as BUSY. */
const LOCK_TIMEOUT_MS = 30_000;
/** Databases held at once, six descriptors each. */
const PINNED_MAX = 100;
/** Attempts at a moment at which nothing that was to be left out had changed. */
const ROUNDS_MAX = 5;

interface Division {
  readonly unchanged: { readonly found: FoundDatabase; readonly captured: CapturedDatabase }[];
  readonly tasks: DatabaseTask[];
}

/** Captures databases as of one moment; one that was not written since the parent is not opened by SQLite at all. */
export async function captureDatabases(
  found: readonly FoundDatabase[],
  context: DatabaseContext,
): Promise<CapturedDatabases> {
  if (found.length === 0) {
    standBack();
    return { captured: new Map(), momentMs: null };
  }
  const { unique, aliases } = await byInode(found);
  const first = await divide(unique, context);
  const { captured, momentMs } = await captureChanged(unique, first, context);
  for (const [alias, path] of aliases) {
    const same = captured.get(path);
    if (same === undefined) continue;
    captured.set(alias.path, { ...same, record: { ...same.record, path: alias.logicalPath } });
  }
  return { captured, momentMs };
}

type CapturedMap = Map<string, CapturedDatabase>;

async function captureChanged(
  found: readonly FoundDatabase[],
  first: Division,
  context: DatabaseContext,
): Promise<{ captured: CapturedMap; momentMs: number }> {
  const copies: DatabaseCopy[] = [];
  try {
    const ahead = await readAhead(first.tasks, context, (copy) => copies.push(copy));
    return await captureTogether(found, first, ahead, context);
  } finally {
    for (const copy of copies) await copy.remove();
  }
}

/** Until no log grows too long meanwhile, or there is no patience left. */
async function captureTogether(
  found: readonly FoundDatabase[],
  first: Division,
  ahead: DoneAhead,
  context: DatabaseContext,
): Promise<{ captured: CapturedMap; momentMs: number }> {
  const patience = new LogPatience(context);
  for (let division = first; ; division = await divide(found, context)) {
    try {
      return await captureOnce(division, { ahead, patience, context, copied: [] });
    } catch (error) {
      if (!(error instanceof LogTooLong)) throw error;
      await patience.wait(error);
    }
  }
}

interface Attempt {
  readonly ahead: DoneAhead;
  readonly patience: LogPatience;
  readonly context: DatabaseContext;
  /** Of which a copy is what was pinned: to be stored when nothing is pinned any more. */
  readonly copied: { readonly task: DatabaseTask; readonly copy: DatabaseCopy }[];
}

/** @throws LogTooLong, everything closed */
async function captureOnce(
  division: Division,
  attempt: Attempt,
): Promise<{ captured: CapturedMap; momentMs: number }> {
  const { context } = attempt;
  const { set, tasks, unchanged } = await pinBesideUnchanged(division, context);
  const captured = new Map(unchanged.map((each) => [each.found.path, each.captured]));
  await storeAndClose(set, tasks, attempt, captured);
  for (let start = PINNED_MAX; start < tasks.length; start += PINNED_MAX) {
    const more = await pinPresent(tasks.slice(start, start + PINNED_MAX), context);
    await storeAndClose(more, tasks, attempt, captured);
  }
  await storeCopies(attempt, captured);
  return { captured, momentMs: set.momentMs };
}

async function storeAndClose(
  set: PinnedSet,
  tasks: readonly DatabaseTask[],
  attempt: Attempt,
  captured: CapturedMap,
): Promise<void> {
  try {
    await storeSet(set, tasks, attempt, captured);
  } catch (error) {
    if (error instanceof LogTooLong) attempt.patience.leave();
    throw error;
  } finally {
    await set.close();
  }
}

/** Pins what has changed, at a moment at which the others still had not. */
async function pinBesideUnchanged(
  division: Division,
  context: DatabaseContext,
): Promise<Division & { set: PinnedSet }> {
  let { unchanged, tasks } = division;
  for (let round = 1; ; round++) {
    const set = await pinPresent(tasks.slice(0, PINNED_MAX), context);
    try {
      const now = await divide(
        unchanged.map((each) => each.found),
        context,
      );
      if (now.tasks.length === 0 || round >= ROUNDS_MAX) {
        if (!set.atOneMoment || tasks.length > PINNED_MAX || now.tasks.length > 0) {
          context.report.warn('The databases are not all as of the same moment');
        }
        return { set, tasks, unchanged };
      }
      unchanged = now.unchanged;
      tasks = [...tasks, ...now.tasks];
    } catch (error) {
      await set.close();
      throw error;
    }
    await set.close();
  }
}

/** Two names of one file share its locks, and a log under one of them: the name with a log is the one to read. */
async function byInode(found: readonly FoundDatabase[]): Promise<{
  unique: FoundDatabase[];
  aliases: Map<FoundDatabase, string>;
}> {
  const readable = new Map<string, FoundDatabase>();
  for (const database of found) {
    const key = inodeOf(database);
    const isFirst = !readable.has(key);
    if (isFirst || (await statFamily(database.path)).wal !== null) readable.set(key, database);
  }
  const aliases = new Map<FoundDatabase, string>();
  for (const database of found) {
    const chosen = readable.get(inodeOf(database))!;
    if (chosen !== database) aliases.set(database, chosen.path);
  }
  return { unique: [...readable.values()], aliases };
}

function inodeOf({ stat }: FoundDatabase): string {
  return `${stat.dev}:${stat.ino}`;
}

async function divide(
  found: readonly FoundDatabase[],
  context: DatabaseContext,
): Promise<Division> {
  const { unchanged, tasks }: Division = { unchanged: [], tasks: [] };
  for (const database of found) {
    context.activity.signal.throwIfAborted();
    const fingerprint = await databaseFingerprint(database.path);
    const record = context.parent.database(database.logicalPath);
    const isKnown =
      record?.fingerprint === fingerprint &&
      record.check.ok &&
      (record.check.level === 'full' || context.checkLevel === 'quick');
    if (isKnown && database.before !== null) {
      const { logGrowth: _read, ...kept } = record;
      const captured = {
        content: database.before,
        record: { ...kept, method: 'unchanged' as const },
      };
      unchanged.push({ found: database, captured });
    } else {
      tasks.push({ found: database, fingerprint });
    }
  }
  return { unchanged, tasks };
}

function pinOptions({ scratchDirectory, clock, activity }: DatabaseContext): PinOptions {
  return { scratchDirectory, timeoutMs: LOCK_TIMEOUT_MS, clock, signal: activity.signal };
}

/** Pins those that are still there. */
async function pinPresent(
  tasks: readonly DatabaseTask[],
  context: DatabaseContext,
): Promise<PinnedSet> {
  let paths = tasks.map((task) => task.found.path);
  stepForward();
  for (;;) {
    try {
      return await pinDatabases(paths, pinOptions(context));
    } catch (error) {
      const gone = error instanceof HoldfastError && error.code === 'PATH_NOT_FOUND';
      const remaining = gone ? paths.filter((path) => path !== error.details?.['path']) : paths;
      if (remaining.length === paths.length) throw error;
      paths = remaining;
    }
  }
}

async function storeSet(
  set: PinnedSet,
  tasks: readonly DatabaseTask[],
  attempt: Attempt,
  captured: CapturedMap,
): Promise<void> {
  const { ahead, patience, context, copied } = attempt;
  patience.begin(set);
  const byPath = new Map(tasks.map((task) => [task.found.path, task]));
  // In rollback mode writers wait for us: those databases are read, and let go, before the others.
  const waitedFor = (database: PinnedDatabase): number => (database.journalMode === 'wal' ? 1 : 0);
  const order = [...set.databases].sort((left, right) => waitedFor(left) - waitedFor(right));
  for (const pinned of order) {
    if (waitedFor(pinned) > 0) standBack();
    const task = byPath.get(pinned.path)!;
    context.activity.progress({ currentFile: task.found.logicalPath });
    const copy = copyOf(pinned, ahead);
    if (copy !== null && (await copy.catchUp(pinned, context))) {
      copied.push({ task, copy });
      patience.release(pinned);
      await pinned.close();
      continue;
    }
    const known = patience.finishedBefore(pinned);
    const made =
      known ??
      (await storeDatabase(
        pinned,
        { ...task, patience },
        ahead.read.get(pinned.path) ?? null,
        context,
      ));
    captured.set(pinned.path, made);
    patience.finish(pinned, made);
    await pinned.close();
  }
  standBack();
}

/** Null where nobody waits for it, or there is none. */
function copyOf(pinned: PinnedDatabase, { copies }: DoneAhead): DatabaseCopy | null {
  const isLocked = pinned.method === 'pinned' && pinned.journalMode === 'rollback';
  return isLocked ? (copies.get(pinned.path) ?? null) : null;
}

/** Stores what was copied under its lock. Nothing is pinned any more. */
async function storeCopies(
  { patience, context, copied }: Attempt,
  captured: CapturedMap,
): Promise<void> {
  for (const { task, copy } of copied) {
    context.activity.progress({ currentFile: task.found.logicalPath });
    const set = await pinDatabases([copy.path], pinOptions(context));
    try {
      const made = await storeDatabase(set.databases[0]!, { ...task, patience }, null, context);
      captured.set(task.found.path, made);
    } finally {
      await set.close();
    }
    await copy.remove();
  }
}
