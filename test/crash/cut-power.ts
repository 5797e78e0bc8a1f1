import { seededRandom } from '../support/random.ts';
import { CutBench } from './bench.ts';
import { Disk } from './disk/disk.ts';
import { layOut, linesOfFolder, linesOfTree } from './disk/lay-out.ts';
import { type CutModel, treeAfterCut, treeDigest } from './disk/power-cut.ts';
import { describeCall, type RecordedCall, readWriteLog } from './recorder/write-log.ts';
import type { Scenario } from './scenario.ts';

/**
 * Records what a scenario writes and syncs, and cuts the power after every call of it: the trees that the disk could
 * hold then (disk/disk.ts and disk/power-cut.ts say what is assumed) are laid out one after the other, Holdfast is
 * started on each, and must keep its promises.
 */
export interface CutPlan {
  /** Cuts after every n-th call; 1: after each. The first of them is drawn. */
  readonly stride: number;
  /** Of the model `torn` at each cut. */
  readonly drawings: number;
  readonly seed: number;
  /** As if these calls had never been made: a harness that finds nothing then proves nothing. */
  readonly withoutSyncs?: 'sync-file' | 'sync-directory';
}

export interface CutFigures {
  readonly calls: number;
  /** Moments, each under every model. */
  readonly cuts: number;
  /** Different ones: many cuts leave the same. */
  readonly trees: number;
  /** Each tells how to have it again. */
  readonly failures: readonly string[];
}

/** More say nothing new. */
const FAILURES_MAX = 5;

export async function cutPower(scenario: Scenario, plan: CutPlan): Promise<CutFigures> {
  const bench = new CutBench();
  try {
    await scenario.setUp(bench);
    const [whole, disk] = [Disk.of(bench.disk), Disk.of(bench.disk)];
    bench.startRecording();
    await scenario.run(bench);
    bench.stopRecording();
    const calls = readWriteLog(bench.log);
    expectWholeRecord(bench, whole, calls);
    await scenario.learn?.(bench);
    return await new PowerCuts(bench, scenario, plan, calls).all(disk);
  } finally {
    bench.remove();
  }
}

/** The recorder's own test: replayed with everything kept, the calls make the very tree that the run made. */
function expectWholeRecord(bench: CutBench, disk: Disk, calls: readonly RecordedCall[]): void {
  for (const call of calls) disk.apply(call);
  const replayed = new Set(linesOfTree(treeAfterCut(disk, 'kept', Math.random)));
  const real = new Set(linesOfFolder(bench.disk));
  const unlike = [
    ...[...real].filter((line) => !replayed.has(line)).map((line) => `real: ${line}`),
    ...[...replayed].filter((line) => !real.has(line)).map((line) => `replayed: ${line}`),
  ];
  if (unlike.length === 0) return;
  const lines = unlike.map((line) => line.slice(0, 200)).join('\n');
  throw new Error(
    `The record of ${calls.length} calls does not make the tree that they made:\n${lines}`,
  );
}

class PowerCuts {
  readonly #bench: CutBench;
  readonly #scenario: Scenario;
  readonly #plan: CutPlan;
  readonly #calls: readonly RecordedCall[];
  readonly #acknowledged = new Set<string>();
  readonly #seen = new Set<string>();
  readonly #failures: string[] = [];
  #cuts = 0;

  constructor(bench: CutBench, scenario: Scenario, plan: CutPlan, calls: readonly RecordedCall[]) {
    this.#bench = bench;
    this.#scenario = scenario;
    this.#plan = plan;
    this.#calls = calls;
  }

  async all(disk: Disk): Promise<CutFigures> {
    const { stride, seed, withoutSyncs } = this.#plan;
    for (let done = 0; done <= this.#calls.length; done += 1) {
      const isLast = done === this.#calls.length;
      if (isLast || (done + seed) % stride === 0) await this.#cutAfter(done, disk);
      if (isLast || this.#failures.length >= FAILURES_MAX) break;
      const call = this.#calls[done]!;
      if (call.operation === 'acknowledge') this.#acknowledged.add(call.what);
      else if (call.operation !== withoutSyncs) disk.apply(call);
    }
    return {
      calls: this.#calls.filter(({ operation }) => operation !== 'acknowledge').length,
      cuts: this.#cuts,
      trees: this.#seen.size,
      failures: this.#failures,
    };
  }

  async #cutAfter(done: number, disk: Disk): Promise<void> {
    const { drawings, seed } = this.#plan;
    await this.#cut(done, disk, 'kept', 0);
    await this.#cut(done, disk, 'synced', 0);
    for (let drawing = 0; drawing < drawings; drawing += 1) {
      await this.#cut(done, disk, 'torn', seed + done * 1_000 + drawing);
    }
  }

  async #cut(done: number, disk: Disk, model: CutModel, drawn: number): Promise<void> {
    const { disk: root, pool } = this.#bench;
    this.#cuts += 1;
    const tree = treeAfterCut(disk, model, seededRandom(drawn));
    // The same tree may be asked for more, the more had been reported as done.
    const digest = `${treeDigest(tree)} ${this.#acknowledged.size}`;
    if (this.#seen.has(digest)) return;
    this.#seen.add(digest);
    layOut(tree, root, pool);
    try {
      await this.#scenario.check(this.#bench, { acknowledged: this.#acknowledged });
    } catch (error) {
      this.#failures.push(this.#failure(done, model, drawn, error));
    }
  }

  #failure(done: number, model: CutModel, drawn: number, error: unknown): string {
    const calls = this.#calls.slice(Math.max(0, done - 4), done + 1).map(describeCall);
    const where = `${this.#scenario.name}, after call ${done} of ${this.#calls.length}, ${model}`;
    const seeds = `seed ${this.#plan.seed}, drawn ${drawn}`;
    const acknowledged = [...this.#acknowledged].join(', ');
    const text = told(error);
    return `${where} (${seeds}; acknowledged: ${acknowledged})\n  ${calls.join('\n  ')}\n${text}`;
  }
}

const SHOWN_MAX = 1_000;

/** With what was expected, which the message of an assertion leaves out. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { actual, expected } = error as { actual?: unknown; expected?: unknown };
  const [found, wanted] = [actual, expected].map((each) =>
    (JSON.stringify(each) ?? '').slice(0, SHOWN_MAX),
  );
  return `${error.stack ?? error.message}\nfound:  ${found}\nwanted: ${wanted}`;
}
