import type { CutBench } from './bench.ts';

/** What is known when one tree is looked at. */
export interface Cut {
  /** What had been reported as done before the power went. */
  readonly acknowledged: ReadonlySet<string>;
}

/** One thing that Holdfast does, during which the power goes. */
export interface Scenario {
  readonly name: string;
  /** Not recorded: the disk before, all of it durable. */
  setUp(bench: CutBench): Promise<void>;
  /** Recorded. What a user is told is passed to `bench.acknowledge`. */
  run(bench: CutBench): Promise<void>;
  /** After the run, on the disk as it should be: for what only then can be known. */
  learn?(bench: CutBench): Promise<void>;
  /** Starts again on what a cut left, and expects every promise to hold. @throws where one does not */
  check(bench: CutBench, cut: Cut): Promise<void>;
}
