import { describe, expect, it } from 'vitest';
import { recordProof } from '../../src/kernel/testing/record-proof.ts';
import { runSeed, seededRandom } from '../support/random.ts';
import { type CutFigures, type CutPlan, cutPower } from './cut-power.ts';
import { whyNoRecorder } from './recorder/build-recorder.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios/all.ts';

/**
 * Promise: the power may go at any moment; old state or new state, and what was reported as done is done.
 * A sample in the gate; `npm run test:power-cuts` cuts after every call of every scenario (HOLDFAST_TEST_POWER_CUTS=all;
 * HOLDFAST_TEST_CUT_STRIDE: after every n-th; HOLDFAST_TEST_CUT_DRAWINGS: of what a torn disk holds, at each).
 * With HOLDFAST_TEST_SEED a run is the same again.
 */

const isWhole = process.env['HOLDFAST_TEST_POWER_CUTS'] === 'all';
const seed = runSeed();
const plan: CutPlan = {
  stride: Number(process.env['HOLDFAST_TEST_CUT_STRIDE'] ?? (isWhole ? 1 : 40)),
  drawings: Number(process.env['HOLDFAST_TEST_CUT_DRAWINGS'] ?? 1),
  seed,
};

const SAMPLED = 3;
const missing = whyNoRecorder();
if (missing !== null) console.log(`No power cuts are tried: ${missing}`);

/** All, or a few that the seed draws. */
function chosen(): readonly Scenario[] {
  if (isWhole) return scenarios;
  const random = seededRandom(seed);
  const ranked = scenarios.map((scenario) => ({ scenario, rank: random() }));
  ranked.sort((left, right) => left.rank - right.rank);
  return ranked.slice(0, SAMPLED).map(({ scenario }) => scenario);
}

const tried = new Map<string, CutFigures>();

const total = (count: (figures: CutFigures) => number): number =>
  [...tried.values()].reduce((sum, figures) => sum + count(figures), 0);

/** After each scenario, so that a run that is stopped has told what it did. */
function keepFigures(): void {
  if (!isWhole) return;
  recordProof({
    suite: 'power-cuts',
    promise:
      'The power may go at any moment: what is found afterwards is the old state or the new one, and whatever was reported as done is done.',
    how: 'Every call that changes a file is recorded while a real process works. After each call the disk is made as it could be found after a power cut: with everything kept, with nothing but what was synced, and with parts of the rest, in sectors and out of order. Holdfast is started on it, and its promises are checked.',
    command: 'npm run test:power-cuts',
    figures: {
      scenarios: tried.size,
      'calls recorded': total(({ calls }) => calls),
      'cuts after every n-th call': plan.stride,
      'power cuts': total(({ cuts }) => cuts),
      'different disks started on': total(({ trees }) => trees),
    },
    failures: total(({ failures }) => failures.length),
    seeds: `HOLDFAST_TEST_SEED=${seed}`,
  });
}

describe.skipIf(missing !== null)(
  'F-D7, T-D4: a power cut after any call leaves the old state or the new one',
  () => {
    for (const scenario of chosen()) {
      it(`during ${scenario.name}, and takes nothing that was reported as done`, {
        timeout: 36_000_000,
      }, async () => {
        const figures = await cutPower(scenario, plan);
        tried.set(scenario.name, figures);
        keepFigures();
        const { calls, cuts, trees } = figures;
        console.log(`${scenario.name}: ${calls} calls, ${cuts} cuts, ${trees} trees`);
        expect(figures.failures.join('\n\n')).toBe('');
      });
    }

    // Cut at the very end, where everything has been reported as done.
    for (const [name, withoutSyncs] of [
      ['second backup', 'sync-directory'],
      ['restore in place', 'sync-file'],
    ] as const) {
      it(`is noticed during ${name} where ${withoutSyncs} is left out: these tests can fail`, {
        timeout: 600_000,
      }, async () => {
        const scenario = scenarios.find((each) => each.name === name)!;
        const atTheEnd = { stride: Number.MAX_SAFE_INTEGER, drawings: 0, seed: 1, withoutSyncs };
        const { failures } = await cutPower(scenario, atTheEnd);
        expect(failures).toHaveLength(1);
        expect(failures[0]).toContain('synced');
      });
    }
  },
);
