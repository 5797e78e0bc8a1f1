import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Activity } from '../kernel/activity.ts';
import { diskFailure, messageOf, systemCode, toErrorDocument } from '../kernel/errors.ts';
import { CHECK_MESSAGES_MAX } from '../sqlite/database-check.ts';
import type {
  Attempt,
  BuiltCandidate,
  Candidate,
  CandidateContext,
} from './candidates/candidate.ts';

import { heal } from './candidates/heal.ts';
import { reindex } from './candidates/reindex.ts';
import { replay } from './candidates/replay.ts';
import { rollBack } from './candidates/roll-back.ts';
import { salvage } from './candidates/salvage.ts';
import { undoRot } from './candidates/undo-rot.ts';
import type { DamagedCopies } from './damaged-copies.ts';
import { brokenTables, isLossless, shareDoubt, weigh } from './evidence.ts';
import { countForeign, type ForeignRows } from './foreign-rows.ts';
import { measure, runGates, type Yardstick } from './gates.ts';
import type { CandidateReport, GateResult, SalvageReport, TableRows } from './report.ts';
import { compareRows, compareScores, type Score, scoreOf } from './score.ts';
import type { DatabaseSnapshot } from './snapshot-databases.ts';

/** In order of invasiveness; what is proven comes first. */
const CANDIDATES: readonly Candidate[] = [undoRot, replay, reindex, heal, salvage, rollBack];

const ATTEMPTS_MAX = 50;

export interface ChosenCandidate {
  readonly name: string;
  readonly label: string;
  readonly invasiveness: number;
  /** A single file in scratch. */
  readonly path: string;
  readonly snapshot: DatabaseSnapshot | null;
  /** Null when nothing of the damaged file can be read, so that there is nothing to compare with. */
  readonly rows: readonly TableRows[] | null;
  readonly doubtfulRows: number;
  readonly exact: boolean;
  /** Null for all that were not built row by row. */
  readonly salvage: SalvageReport | null;
  /** Of the one that tells them apart. */
  readonly foreignRows?: readonly ForeignRows[];
  /** With the doubtful rows counted as not kept. */
  readonly score: Score;
}

export interface Choice {
  /** The one that loses least. */
  readonly chosen: ChosenCandidate | null;
  /** All that passed the gates, the chosen one first. */
  readonly passed: readonly ChosenCandidate[];
  /** Nothing but partial results passed: rows that the damaged file seems to have held are in none of them. */
  readonly onlyDoubtful: boolean;
  /** Every attempt, in order, whatever became of it. */
  readonly tried: readonly CandidateReport[];
  /** What the disk that candidates are built on said, where one of them failed of it: it may pass another time. */
  readonly diskFailure?: string;
}

/** Of ours: only copies are read here. A copy that is too short says so as if its disk had failed. */
const isOfDisk = (error: unknown): boolean =>
  diskFailure(error) !== null && systemCode(error) !== 'SQLITE_IOERR_SHORT_READ';

const passed = (gates: readonly GateResult[]): boolean => gates.every(({ ok }) => ok);

class CandidateRun {
  readonly tried: CandidateReport[] = [];
  diskFailure: string | null = null;
  readonly #places = new Map<string, number>();
  readonly #context: CandidateContext;
  readonly #damaged: DamagedCopies;
  readonly #directory: string;

  constructor(context: CandidateContext, damaged: DamagedCopies, directory: string) {
    this.#context = context;
    this.#damaged = damaged;
    this.#directory = directory;
  }

  get #activity(): Activity {
    return this.#context.activity;
  }

  /** The candidate's first attempt that passes the gates, scored; null when none does. */
  async run(candidate: Candidate): Promise<ChosenCandidate | null> {
    for await (const attempt of candidate.attempts(this.#context)) {
      if (this.tried.length >= ATTEMPTS_MAX) return null;
      this.#activity.signal.throwIfAborted();
      const built = await this.#try(candidate, attempt);
      if (built !== null) return built;
    }
    return null;
  }

  async #try(candidate: Candidate, attempt: Attempt): Promise<ChosenCandidate | null> {
    const directory = join(this.#directory, `${this.tried.length}-${candidate.name}`);
    const report = {
      candidate: candidate.name,
      attempt: attempt.label,
      snapshotId: attempt.snapshot?.id ?? null,
    };
    try {
      const built = await attempt.build(directory);
      const { path, doubtfulRows, exact = false, detail, foreignRows = [] } = built;
      const rebuilt = built.salvage ?? null;
      const gates = await this.#gates(path, attempt.snapshot);
      if (passed(gates)) {
        const { rows, score } = await this.#score(built);
        this.#places.set(path, this.tried.length);
        this.tried.push({ ...report, failure: null, gates, score });
        const { name, invasiveness } = candidate;
        const { snapshot } = attempt;
        const label = detail === undefined ? attempt.label : `${attempt.label}: ${detail}`;
        const about = { name, label, invasiveness, path, snapshot, doubtfulRows, exact };
        return { ...about, rows, salvage: rebuilt, foreignRows, score };
      }
      this.tried.push({ ...report, failure: null, gates, score: null });
    } catch (error) {
      this.#activity.signal.throwIfAborted();
      // For want of room nothing is known of this one: another might lose more, and the same could be tried again.
      if (toErrorDocument(error).code === 'NO_SPACE') throw error;
      const failure = messageOf(error);
      if (isOfDisk(error)) this.diskFailure ??= `${systemCode(error)}: ${failure}`;
      this.tried.push({ ...report, failure, gates: [], score: null });
    }
    await rm(directory, { recursive: true, force: true });
    return null;
  }

  async #snapshotYardstick(snapshot: DatabaseSnapshot | null): Promise<Yardstick | null> {
    const { images } = this.#context;
    if (images === null) return null;
    if (snapshot !== null) return measure(await images.image(snapshot, this.#activity));
    const newest = await images.newest(this.#activity);
    return newest === null ? null : measure(newest.image);
  }

  /** Against what the damaged file shows; where that does not do, against the snapshot too. */
  async #gates(path: string, snapshot: DatabaseSnapshot | null): Promise<GateResult[]> {
    const { yardstick } = this.#damaged;
    const unknown = yardstick.schema === null || yardstick.foreignKeyViolations === null;
    if (!unknown) {
      const gates = runGates(path, [yardstick]);
      if (passed(gates) || gates.length === 1) return gates;
    }
    const other = await this.#snapshotYardstick(snapshot);
    return runGates(path, other === null ? [yardstick] : [yardstick, other]);
  }

  async #score({
    path,
    doubtfulRows,
    exact = false,
  }: BuiltCandidate): Promise<{ rows: TableRows[] | null; score: Score }> {
    const { signal } = this.#activity;
    const rows = this.#damaged.compare(path, signal);
    if (exact) return { rows, score: { notKept: 0, missing: 0, resurrected: 0 } };
    const incomplete = rows === null || rows.some(({ readToEnd }) => !readToEnd);
    const newest = incomplete ? await this.#context.images?.newest(this.#activity) : null;
    const known = newest == null ? null : compareRows(path, newest.image, new Set(), signal);
    if (rows !== null) {
      const score = scoreOf(rows, known);
      return { rows, score: { ...score, notKept: score.notKept + doubtfulRows } };
    }
    const missing = (known ?? []).reduce((sum, { lost }) => sum + lost, 0);
    return { rows, score: { notKept: doubtfulRows, missing, resurrected: 0 } };
  }

  /** Scores in the light of all candidates, where the damaged file alone does not say what was in it. */
  async weighed(built: readonly ChosenCandidate[]): Promise<ChosenCandidate[]> {
    if (built.length < 2) return [...built];
    const newest = (await this.#context.images?.newest(this.#activity)) ?? null;
    const witnesses = built.filter(({ name }) => name !== rollBack.name);
    const tables = brokenTables(built, witnesses);
    // In a file that is all in disorder salvage cannot tell what was deleted from what it did not find.
    const disorder = this.#context.assessment.messages.length >= CHECK_MESSAGES_MAX;
    const complete = !disorder && witnesses.some(({ name }) => name === salvage.name);
    const facts = { snapshot: newest?.image ?? null, complete };
    const doubts = shareDoubt(built);
    const honest = built.find(({ foreignRows = [] }) => foreignRows.length > 0);
    const foreign = new Map(built.map(({ path }) => [path, countForeign(path, honest)]));
    // Rows that one took over from another table are no evidence.
    const reliable = witnesses.filter(({ path }) => foreign.get(path)!.taken === 0);
    return built.map((each) => {
      if (each.exact) return each;
      const { signal } = this.#activity;
      const doubt = doubts.get(each.path) ?? 0;
      const { taken, leftOut } = foreign.get(each.path)!;
      const context = { ...facts, leftOut };
      const { notKept, ...others } = weigh(each, tables, reliable, context, signal);
      const score = { ...others, notKept: notKept + taken + doubt };
      const place = this.#places.get(each.path)!;
      this.tried[place] = { ...this.tried[place]!, score };
      // A snapshot is whole: it is not what the pages of the damaged file tell of.
      const doubtfulRows = witnesses.includes(each) ? doubt : each.doubtfulRows;
      return { ...each, doubtfulRows, score };
    });
  }
}

/**
 * Builds the candidates that apply, least invasive first, until one loses nothing (`all`: each of them, whatever it
 * loses), and takes the one that loses the fewest rows.
 */
export async function chooseCandidate(
  context: CandidateContext,
  damaged: DamagedCopies,
  directory: string,
  all: boolean,
): Promise<Choice> {
  const run = new CandidateRun(context, damaged, directory);
  const built: ChosenCandidate[] = [];
  for (const candidate of CANDIDATES) {
    if (!candidate.applicable(context.assessment)) continue;
    // What passes its checks is replaced by nothing but what is proven.
    if (context.assessment.messages.length === 0 && candidate !== undoRot) continue;
    context.activity.progress({ phase: `build ${candidate.name}` });
    const result = await run.run(candidate);
    if (result === null) continue;
    built.push(result);
    const doubted = built.some(({ doubtfulRows }) => doubtfulRows > 0);
    if (!all && (result.exact || (!doubted && isLossless(result)))) break;
  }
  const passing = (await run.weighed(built)).sort(compareScores);
  // A partial result is installed where it beats a whole one; on its own it is for a person to decide.
  const onlyDoubtful = passing.every(({ doubtfulRows }) => doubtfulRows > 0);
  const { tried, diskFailure: failure } = run;
  const choice = { chosen: passing[0] ?? null, passed: passing, onlyDoubtful, tried };
  return failure === null ? choice : { ...choice, diskFailure: failure };
}
