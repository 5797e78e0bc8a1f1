import { mkdir } from 'node:fs/promises';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import { copyFamily, type FamilyCopy } from '../sqlite/copy-family.ts';
import { statFamily } from '../sqlite/family.ts';
import { openCopy, schemaOf } from './candidates/settle.ts';
import type { Choice, ChosenCandidate } from './choose-candidate.ts';
import type { SchemaObject } from './damage.ts';
import { runGates } from './gates.ts';
import { readHeader } from './harmless-check.ts';
import { isUnwrittenSince } from './heal/fence.ts';
import type { GateResult, TableRows } from './report.ts';
import { contentTables } from './score.ts';
import type { DatabaseSnapshot, SnapshotDatabases } from './snapshot-databases.ts';
import { StoredPages } from './snapshot-pages.ts';
import { namedPages, type StandIn, spliceNamedPages } from './splice-pages.ts';
import { rebuildStaleIndexes } from './stale-indexes.ts';
import { countRows } from './table-rows.ts';

/**
 * The short way for large databases with few damaged pages. Leaf pages of which nothing can be read are taken from the
 * newest snapshot, and nothing else of the file is touched: every row on any other page is kept by itself, and no
 * other candidate could read more of those pages. SQLite's integrity_check then finds every index in agreement with
 * its table, which also proves, for a table with an index, that no row is missing and none is there again. Anything
 * less is left to the long way.
 */

export interface QuickHealRequest {
  readonly database: string;
  readonly snapshots: SnapshotDatabases;
  /** A path of its own; made here. */
  readonly scratchDirectory: string;
  /** What the check of the database said. */
  readonly messages: readonly string[];
}

const HEAL = { name: 'heal', invasiveness: 2 } as const;

const isContentGate = ({ gate, messages }: GateResult): boolean =>
  gate !== 'integrity' || messages.length === 0;

/** The snapshot that has the same tables with the same pages; null where there is none. */
async function comparableSnapshot({
  database,
  snapshots,
}: QuickHealRequest): Promise<DatabaseSnapshot | null> {
  const stat = await statFamily(database);
  if ((stat.wal?.bytes ?? 0) > 0 || stat.journal !== null) return null;
  const snapshot = await snapshots.newestSound(database);
  const header = await readHeader(database);
  if (snapshot === null || header === null) return null;
  // Then the whole file is known, also where no check sees what is wrong with it.
  if (isUnwrittenSince(database, stat, snapshot)) return null;
  const { schemaCookie, pageBytes, encoding } = snapshot.database;
  const same =
    header.schemaCookie === schemaCookie &&
    header.pageBytes === pageBytes &&
    header.encoding === encoding &&
    header.changeCounter === header.versionValidFor;
  return same ? snapshot : null;
}

/** Everything on other pages is kept as it is: only what came with the pages is counted otherwise. */
function rowsOf(
  path: string,
  schema: readonly SchemaObject[],
  standIns: readonly StandIn[],
): TableRows[] {
  const database = openCopy(path);
  try {
    return contentTables(schema).map((table) => {
      const root = schema.find(({ type, name }) => type === 'table' && name === table)!.rootPage;
      const own = standIns.filter((each) => each.root === root);
      const filled = own.reduce((sum, { cells }) => sum + cells, 0);
      const total = countRows(database, 'main', table) ?? 0;
      const kept = total - filled;
      const readToEnd = own.length === 0;
      return { table, readable: kept, readToEnd, total, kept, stale: 0, lost: 0, filled };
    });
  } finally {
    database.close();
  }
}

function describe(
  schema: readonly SchemaObject[],
  standIns: readonly StandIn[],
  rebuilt: readonly string[],
): string {
  const pages = new Map<string, number>();
  for (const { root } of standIns) {
    const name = schema.find(({ rootPage }) => rootPage === root)?.name ?? 'sqlite_schema';
    pages.set(name, (pages.get(name) ?? 0) + 1);
  }
  const isTable = ({ root }: StandIn): boolean =>
    schema.some(({ type, rootPage }) => type === 'table' && rootPage === root);
  const rows = standIns.filter(isTable).reduce((sum, { cells }) => sum + cells, 0);
  const list = [...pages].map(([name, count]) => `${name} ${count}`).join(', ');
  const indexes = rebuilt.length === 0 ? '' : `; rebuilt: ${rebuilt.join(', ')}`;
  return `${list} pages with ${rows} rows as of then${indexes}`;
}

async function build(
  request: QuickHealRequest,
  snapshot: DatabaseSnapshot,
  named: ReadonlyMap<number, ReadonlySet<number>>,
  copy: FamilyCopy,
  activity: Activity,
): Promise<Choice | null> {
  const stored = await StoredPages.open(snapshot, request.snapshots);
  const schema = schemaOf(copy.path);
  const standIns = await spliceNamedPages(copy.path, schema, named, stored);
  if (standIns === null) return null;
  const rebuilt = rebuildStaleIndexes(copy.path, schema, standIns);
  if (rebuilt === null) return null;
  activity.progress({ phase: 'check healed copy' });
  const gates = runGates(copy.path, [{ schema, foreignKeyViolations: 0 }]);
  if (!gates.every((each) => each.ok && isContentGate(each))) return null;
  const score = { notKept: 0, missing: 0, resurrected: 0 };
  const attempt = `damaged pages from snapshot of ${snapshot.capturedAt}`;
  const chosen: ChosenCandidate = {
    ...HEAL,
    label: `${attempt}: ${describe(schema, standIns, rebuilt)}`,
    path: copy.path,
    snapshot,
    rows: rowsOf(copy.path, schema, standIns),
    doubtfulRows: 0,
    exact: false,
    salvage: null,
    score,
  };
  const tried = { candidate: HEAL.name, attempt, snapshotId: snapshot.id, failure: null };
  return { chosen, passed: [chosen], onlyDoubtful: false, tried: [{ ...tried, gates, score }] };
}

/** @returns null where the short way does not do; the database itself is only read */
export async function healQuickly(
  request: QuickHealRequest,
  activity: Activity,
  clock: Clock,
): Promise<{ choice: Choice; copy: FamilyCopy } | null> {
  const named = namedPages(request.messages);
  if (named === null) return null;
  const snapshot = await comparableSnapshot(request);
  if (snapshot === null) return null;
  activity.progress({ phase: 'heal named pages' });
  await mkdir(request.scratchDirectory, { recursive: true, mode: 0o700 });
  const options = { clock, signal: activity.signal };
  const copy = await copyFamily(request.database, request.scratchDirectory, options);
  try {
    const choice = await build(request, snapshot, named, copy, activity);
    return choice === null ? null : { choice, copy };
  } catch (error) {
    activity.signal.throwIfAborted();
    activity.log(`Damaged pages cannot be replaced alone: ${messageOf(error)}`);
    return null;
  }
}
