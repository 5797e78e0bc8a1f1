import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordProof } from '../../src/kernel/testing/record-proof.ts';
import { daysPlaces } from './days/days-setup.ts';
import { buildPrograms } from './days/programs/build-programs.ts';
import { Simulation } from './days/simulation.ts';

/** Promise: weeks of schedules, retention, prunes, restarts, crashes and faults leave exactly what the rules say. */

/** Less than one: a part of a day, which holds the night. */
const DAYS = Number(process.env['HOLDFAST_TEST_DAYS'] ?? 1 / 10);
const SEEDS = (process.env['HOLDFAST_TEST_SEED'] ?? '7').split(',').map(Number);
/** Ten a day try every one of them every day. */
const DISTURBANCES_A_DAY = Number(process.env['HOLDFAST_TEST_DISTURBANCES'] ?? 2);
/** On the evening before Paris sets its clocks forward, or back: odd seeds, and even ones. */
const STARTS_MS = ['2030-10-26T22:00:00Z', '2030-03-30T22:00:00Z'].map(Date.parse);

const totals: Record<string, number> = {};
const add = (figures: object): void => {
  for (const [name, value] of Object.entries(figures)) totals[name] = (totals[name] ?? 0) + value;
};

async function simulate(seed: number): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-days-'));
  const { daemon } = await buildPrograms(join(root, 'programs'));
  const simulation = new Simulation(daysPlaces(root), daemon, seed, STARTS_MS[seed % 2]!);
  const { problems } = simulation.model;
  try {
    await simulation.begin();
    for (let day = 0; day < DAYS && problems.length === 0; day += 1) {
      await simulation.day(Math.min(DAYS, 1), seed + day * DISTURBANCES_A_DAY, DISTURBANCES_A_DAY);
      if (DAYS > 2)
        console.log(`seed ${seed}, day ${day + 1}`, JSON.stringify(simulation.model.counts));
    }
    if (problems.length === 0) await simulation.examineAll();
    await simulation.end();
  } catch (error) {
    problems.push(`${String((error as Error).stack)}`);
  }
  if (problems.length > 0) {
    console.log(`HOLDFAST_TEST_SEED=${seed} HOLDFAST_TEST_DAYS=${DAYS}\n${simulation.step}`);
  }
  add({ ...simulation.figures, ...simulation.model.counts });
  await simulation.dispose();
  rmSync(root, { recursive: true, force: true });
  return problems.map((problem) => `seed ${seed}: ${problem}`);
}

describe('simulated days', () => {
  it(
    'schedules, snapshots, retention, prunes and alerts are what a model says, through restarts, crashes and faults',
    async () => {
      const problems: string[] = [];
      for (const seed of SEEDS) problems.push(...(await simulate(seed)));
      recordProof({
        suite: 'soak-days',
        promise:
          'Over weeks of schedules, retention, prunes, restarts, crashes and faults, what is there is what the rules say, and every snapshot restores to what was captured.',
        how: 'A daemon process and its workers under a clock that jumps from timer to timer (file times follow it), with real databases and a real repository, beside a model that works out from the documentation alone when schedules fire, what retention keeps, what a prune finds and which alerts stand.',
        command: 'npm run test:soak',
        figures: {
          'days simulated': totals['days']!,
          seeds: SEEDS.length,
          'changes of applications': totals['changes']!,
          'ticks of schedules compared': totals['ticks']!,
          'snapshots taken': totals['taken']!,
          'backups with nothing new': totals['unchanged']!,
          'snapshots removed': totals['removed']!,
          'retention runs compared': totals['forgets']!,
          prunes: totals['prunes']!,
          'drills and deep verifications': totals['drills']! + totals['verifications']!,
          'snapshots restored and compared': totals['restored']!,
          'restores in place': totals['restoredInPlace']!,
          'restarts of the daemon': totals['restarts']!,
          'workers and daemons killed': totals['kills']!,
          'faults of disk, pack and database': totals['faults']!,
          'clock set': totals['clockSteps']!,
        },
        failures: problems.length,
        seeds: SEEDS.join(', '),
      });
      console.log(JSON.stringify(totals));
      expect(problems).toEqual([]);
    },
    DAYS * SEEDS.length * 300_000 + 300_000,
  );
});
