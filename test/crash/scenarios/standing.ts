import type { CutBench } from '../bench.ts';
import {
  expectNextWork,
  expectNoLeftovers,
  expectSnapshots,
  type Picture,
  startAgain,
} from '../promises.ts';
import type { Cut, Scenario } from '../scenario.ts';

/** What one scenario knows of its disk. */
export interface World {
  readonly bench: CutBench;
  /** Every snapshot that there is or may be, and what it holds. */
  readonly truth: Map<string, Picture>;
  /** Taken before the recorded run. */
  readonly before: Set<string>;
}

export interface ScenarioSpec {
  readonly name: string;
  setUp(world: World): Promise<void>;
  run(world: World): Promise<void>;
  learn?(world: World): Promise<void>;
  /** What a user does first, once the power is back. @default any command, which finishes what was interrupted */
  again?(world: World): Promise<void>;
  /** Which snapshots have to be listed. @default those taken before the run */
  required?(world: World, cut: Cut): Iterable<string>;
  /** What this scenario promises, once Holdfast has been started again. */
  outcome?(world: World, cut: Cut): Promise<void>;
}

/** A scenario that holds every promise that stands at all times, and its own. */
export function scenarioOf(spec: ScenarioSpec): Scenario {
  let world: World;
  return {
    name: spec.name,
    async setUp(bench) {
      world = { bench, truth: new Map(), before: new Set() };
      await spec.setUp(world);
      for (const id of world.truth.keys()) world.before.add(id);
    },
    run: () => spec.run(world),
    learn: async () => spec.learn?.(world),
    async check(bench, cut) {
      await spec.again?.(world);
      await startAgain(bench);
      const { truth, before } = world;
      await expectSnapshots(bench, truth, spec.required?.(world, cut) ?? before);
      await spec.outcome?.(world, cut);
      await expectNextWork(bench);
      expectNoLeftovers(bench);
    },
  };
}
