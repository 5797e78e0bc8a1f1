import { afterAll, describe, it } from 'vitest';
import { seededRandom } from '../support/random.ts';
import { FAULT_CODES, type Fault } from './fault-injector.ts';
import { FaultPlace } from './fault-place.ts';
import { FAULT_SCENARIOS, type FaultScenario } from './fault-scenarios.ts';
import { FAULTS_PER_STEP, isLong, judge, seed, tally } from './fault-tally.ts';
import { type Prepared, prepareScenario, tryFault } from './try-fault.ts';

const SAMPLED_SCENARIOS = 4;
const SAMPLED_STEPS = 4;

const WAYS = [
  { lasting: false, moment: 'before' },
  { lasting: true, moment: 'before' },
  { lasting: false, moment: 'after' },
] as const;

/** So many of `all`, in their order. */
function sample<T>(all: readonly T[], count: number, random: () => number): T[] {
  const ranked = all.map((each, index) => ({ each, index, rank: random() }));
  const chosen = ranked.sort((left, right) => left.rank - right.rank).slice(0, count);
  return chosen.sort((left, right) => left.index - right.index).map(({ each }) => each);
}

/** The faults of one step, all different. */
function faultsOf(step: number, count: number, random: () => number): Fault[] {
  const all = FAULT_CODES.flatMap((code) => WAYS.map((way) => ({ step, code, ...way })));
  return sample(all, count, random);
}

function faultsFor({ steps }: Prepared, random: () => number): Fault[] {
  const numbers = steps.map((_step, index) => index + 1);
  const share = Math.ceil(numbers.length * Math.min(1, FAULTS_PER_STEP));
  const chosen = sample(numbers, isLong ? share : SAMPLED_STEPS, random);
  tally.stepsTried += chosen.length;
  return chosen.flatMap((step) => faultsOf(step, Math.max(1, FAULTS_PER_STEP), random));
}

async function tryScenario(place: FaultPlace, scenario: FaultScenario, index: number) {
  // Of its own, so that one scenario can be had again alone.
  const random = seededRandom(seed + index);
  const prepared = await prepareScenario(place, scenario);
  tally.scenarios.add(scenario.name);
  tally.steps += prepared.steps.length;
  if (isLong) console.log(`${scenario.name}: ${prepared.steps.length} steps`);
  for (const fault of faultsFor(prepared, random)) {
    const { failed, stepsFailed, problems } = await tryFault(place, prepared, fault);
    const { step, code, lasting, moment } = fault;
    tally.cases += 1;
    tally.stepsFailed += stepsFailed;
    tally.refused += failed ? 1 : 0;
    tally.kinds.add(`${code} ${lasting} ${moment}`);
    const met = prepared.steps[step - 1]!;
    const when = `${moment}${lasting ? ' and from there on' : ''}`;
    judge(`${scenario.name}: ${code} ${when} step ${step} (${met.step} ${met.path})`, problems);
  }
}

export function describeStepFaults(): void {
  const only = new RegExp(process.env['HOLDFAST_TEST_SCENARIO'] ?? '');
  const all = FAULT_SCENARIOS.map((scenario, index) => ({ scenario, index })).filter((each) =>
    only.test(each.scenario.name),
  );
  const chosen = isLong ? all : sample(all, SAMPLED_SCENARIOS, seededRandom(seed));
  describe('a durable step that fails', () => {
    const place = new FaultPlace();
    afterAll(() => place.dispose());
    for (const { scenario, index } of chosen) {
      it(
        `Z-D3, F-D9: ${scenario.name}: is told, loses nothing, leaves nothing, and it can be done again`,
        () => tryScenario(place, scenario, index),
        7_200_000,
      );
    }
  });
}
