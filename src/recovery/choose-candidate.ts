import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Activity } from '../kernel/activity.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Attempt, Candidate, CandidateContext } from './candidates/candidate.ts';
import { reindex } from './candidates/reindex.ts';
import { replay } from './candidates/replay.ts';
import { rollBack } from './candidates/roll-back.ts';
import type { DamagedCopies } from './damaged-copies.ts';
import { measure, runGates, type Yardstick } from './gates.ts';
import type { CandidateReport, GateResult, TableRows } from './report.ts';
import { compareRows, compareScores, type Score, scoreOf } from './score.ts';
import type { DatabaseSnapshot } from './snapshot-databases.ts';

/** In order of invasiveness. */
const CANDIDATES: readonly Candidate[] = [replay, reindex, rollBack];

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
  /** With the doubtful rows counted as not kept. */
  readonly score: Score;
}

export interface Choice {
  readonly chosen: ChosenCandidate | null;
  /** Every attempt, in order, whatever became of it. */
  readonly tried: readonly CandidateReport[];
}

const passed = (gates: readonly GateResult[]): boolean => gates.every(({ ok }) => ok);

class CandidateRun {
  readonly tried: CandidateReport[] = [];
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
      const { path, doubtfulRows } = await attempt.build(directory);
      const gates = await this.#gates(path, attempt.snapshot);
      if (passed(gates)) {
        const { rows, score } = await this.#score(path, doubtfulRows);
        this.tried.push({ ...report, failure: null, gates, score });
        const { name, invasiveness } = candidate;
        const { label, snapshot } = attempt;
        return { name, label, invasiveness, path, snapshot, rows, doubtfulRows, score };
      }
      this.tried.push({ ...report, failure: null, gates, score: null });
    } catch (error) {
      this.#activity.signal.throwIfAborted();
      this.tried.push({ ...report, failure: messageOf(error), gates: [], score: null });
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

  async #score(
    path: string,
    doubtfulRows: number,
  ): Promise<{ rows: TableRows[] | null; score: Score }> {
    const { signal } = this.#activity;
    const rows = this.#damaged.compare(path, signal);
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
}

/** Nothing can do better: every row there was could be read, and the candidate has it. */
function isLossless({ rows, score }: ChosenCandidate): boolean {
  if (rows === null || rows.some(({ readToEnd }) => !readToEnd)) return false;
  return score.notKept === 0 && score.resurrected === 0;
}

/**
 * Builds the candidates that apply, least invasive first, until one loses nothing; else all of them, and takes the one
 * that loses the fewest rows.
 */
export async function chooseCandidate(
  context: CandidateContext,
  damaged: DamagedCopies,
  directory: string,
): Promise<Choice> {
  const run = new CandidateRun(context, damaged, directory);
  const built: ChosenCandidate[] = [];
  for (const candidate of CANDIDATES) {
    if (!candidate.applicable(context.assessment)) continue;
    context.activity.progress({ phase: `build ${candidate.name}` });
    const result = await run.run(candidate);
    if (result === null) continue;
    built.push(result);
    if (isLossless(result)) break;
  }
  built.sort(compareScores);
  // A partial result is installed where it beats a whole one; on its own it is for a person to decide.
  const whole = built.some(({ doubtfulRows }) => doubtfulRows === 0);
  return { chosen: (whole ? built[0] : null) ?? null, tried: run.tried };
}
