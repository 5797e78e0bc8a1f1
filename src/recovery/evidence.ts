import { openCopy } from './candidates/settle.ts';
import type { TableRows } from './report.ts';
import { countAllRows, type Score, tableNames } from './score.ts';
import { countEvidence, type TableEvidence } from './table-evidence.ts';

/**
 * Where the damaged file cannot be read to its end, SQLite cannot say what was in it. What one candidate made of the
 * same bytes is evidence of what another one leaves behind: no candidate makes a row up.
 */

/** A candidate that passed its gates, as far as it is weighed here. */
export interface Weighed {
  readonly path: string;
  /** Against the damaged file; null when nothing of that can be read. */
  readonly rows: readonly TableRows[] | null;
  readonly doubtfulRows: number;
  readonly score: Score;
}

/** Nothing can do better: every row there was could be read, and the candidate has it. */
export function isLossless({ rows, score }: Weighed): boolean {
  if (rows === null || rows.some(({ readToEnd }) => !readToEnd)) return false;
  return score.notKept === 0 && score.resurrected === 0;
}

/**
 * Tables that the damaged file does not show to their end: all of them, where it shows none; and those of which its
 * pages hold more than it shows. None where a candidate loses nothing of a file that can be read.
 */
export function brokenTables(built: readonly Weighed[], witnesses: readonly Weighed[]): string[] {
  if (built.some(isLossless)) return [];
  const tables = built.flatMap((candidate) => {
    const { rows, path } = candidate;
    if (rows === null) return tableNames(path);
    const hasMore = ({ filled }: TableRows): boolean => filled > 0 && witnesses.includes(candidate);
    return rows.filter((each) => !each.readToEnd || hasMore(each)).map(({ table }) => table);
  });
  return [...new Set(tables)];
}

/** By table: the most that any one witness has and the candidate does not. */
function evidenceOf(
  candidate: string,
  witnesses: readonly string[],
  snapshot: string | null,
  tables: readonly string[],
  signal: AbortSignal,
): Map<string, TableEvidence> {
  const most = new Map<string, TableEvidence>();
  const database = openCopy(candidate);
  try {
    if (snapshot !== null) database.prepare('ATTACH ? AS snapshot').run(snapshot);
    for (const witness of witnesses) {
      database.prepare('ATTACH ? AS reference').run(witness);
      for (const table of tables) {
        signal.throwIfAborted();
        const { unseen, missing } = countEvidence(database, table, snapshot !== null);
        const known = most.get(table) ?? { unseen: 0, missing: 0 };
        most.set(table, {
          unseen: Math.max(known.unseen, unseen),
          missing: Math.max(known.missing, missing),
        });
      }
      database.exec('DETACH reference');
    }
    return most;
  } finally {
    database.close();
  }
}

/**
 * Rows that one candidate knows to have left behind are left behind by all that do not have as many more rows: pages
 * that belong to nobody tell how many there were, and not which. By path; counted into the scores.
 */
export function shareDoubt(candidates: readonly Weighed[]): ReadonlyMap<string, number> {
  const doubted = candidates.filter(({ doubtfulRows }) => doubtfulRows > 0);
  if (doubted.length === 0) return new Map();
  const totals = new Map(candidates.map(({ path }) => [path, countAllRows(path)]));
  return new Map(
    candidates.map(({ path }) => {
      const doubts = doubted.map((other) => {
        const more = totals.get(path)! - totals.get(other.path)!;
        return other.doubtfulRows - Math.max(0, more);
      });
      return [path, Math.max(0, ...doubts)];
    }),
  );
}

/**
 * The score of a candidate in the light of what the others have, without rows in doubt.
 * @param tables those that the damaged file does not show to their end
 * @param witnesses candidates that rest on the damaged file, not on a snapshot alone
 * @param complete one of the witnesses fills what is lost from the snapshot: what it does not have was deleted
 * @param leftOut rows, by table, that the damaged file shows, and that the candidate rightly does not have
 */
export function weigh(
  candidate: Weighed,
  tables: readonly string[],
  witnesses: readonly Weighed[],
  context: {
    readonly snapshot: string | null;
    readonly complete: boolean;
    readonly leftOut?: ReadonlyMap<string, number>;
  },
  signal: AbortSignal,
): Score {
  const others = witnesses.filter((each) => each !== candidate).map(({ path }) => path);
  const evidence = evidenceOf(candidate.path, others, context.snapshot, tables, signal);
  let notKept = 0;
  let missing = context.complete ? 0 : candidate.score.missing;
  const shown = new Map((candidate.rows ?? []).map((each) => [each.table, each]));
  for (const table of new Set([...shown.keys(), ...tables])) {
    const rows = shown.get(table);
    const seen = evidence.get(table) ?? { unseen: 0, missing: 0 };
    const gone = rows === undefined ? 0 : rows.stale + rows.lost;
    notKept += Math.max(gone - (context.leftOut?.get(table) ?? 0), seen.unseen);
    if (context.complete) missing += seen.missing;
  }
  return { ...candidate.score, notKept, missing };
}
