import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordProof } from '../kernel/testing/record-proof.ts';
import { RotBench } from './testing/rot-bench.ts';
import { FILE_KINDS, type Trial, tryDamage } from './testing/rot-trial.ts';

/**
 * `npm run test:rot` tries HOLDFAST_TEST_DAMAGES files, half of them in an encrypted repository. One alone is tried
 * again by HOLDFAST_TEST_SEED=<its seed> HOLDFAST_TEST_DAMAGES=1; odd seeds are of the encrypted one.
 */
const COUNT = Number(process.env['HOLDFAST_TEST_DAMAGES'] ?? 12);
/** A run that is to end by then has tried fewer. */
const MINUTES_MAX = Number(process.env['HOLDFAST_TEST_MINUTES'] ?? 24 * 60);
const SEED = Number(process.env['HOLDFAST_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 30));

let benches: readonly RotBench[];

beforeAll(async () => {
  console.log(`HOLDFAST_TEST_SEED=${SEED}`);
  benches = [await RotBench.create(false), await RotBench.create(true)];
}, 120_000);
afterAll(() => {
  for (const bench of benches ?? []) bench.remove();
});

describe('rot', () => {
  it('Z-22, T-09, T-D16: whatever file of a repository is damaged in whatever way, it is found or harmless, no wrong byte is restored, and what can be saved is', {
    timeout: 60_000 + COUNT * 20_000,
  }, async () => {
    const trials: Trial[] = [];
    const startedMs = performance.now();
    for (let seed = SEED; seed < SEED + COUNT; seed += 1) {
      if (performance.now() - startedMs > MINUTES_MAX * 60_000) break;
      const trial = await tryDamage(benches[seed % 2]!, seed);
      trials.push(trial);
      if (trial.failures.length > 0) console.log(seed, JSON.stringify(trial, null, 1));
      if (COUNT > 100 && trials.length % 50 === 0) console.log(`${trials.length} damages`);
    }
    record(trials);
    const failed = trials.flatMap((trial, at) => (trial.failures.length > 0 ? [SEED + at] : []));
    expect(failed, 'seeds of the failures').toEqual([]);
  });
});

function record(trials: readonly Trial[]): void {
  const figures: Record<string, number> = { filesDamaged: trials.length };
  for (const kind of FILE_KINDS) {
    const own = trials.filter((trial) => trial.kind === kind);
    figures[`${kind}Damaged`] = own.length;
    figures[`${kind}Detected`] = own.filter(({ isDetected }) => isDetected).length;
    figures[`${kind}Harmless`] = own.filter(({ isDetected }) => !isDetected).length;
  }
  const sum = (of: (trial: Trial) => number): number =>
    trials.reduce((total, trial) => total + of(trial), 0);
  figures['restoresExact'] = sum(({ restoresExact }) => restoresExact);
  figures['restoresRefused'] = sum(({ restoresRefused }) => restoresRefused);
  figures['wrongBytesRestored'] = 0;
  figures['snapshotsSavedByRepair'] = sum(({ snapshotsSaved }) => snapshotsSaved);
  figures['snapshotsHealedByBackup'] = sum(({ snapshotsHealed }) => snapshotsHealed);
  for (const { failures } of trials) {
    if (failures.some((each) => each.includes('is wrong'))) figures['wrongBytesRestored'] += 1;
  }
  recordProof({
    suite: 'rot',
    promise:
      'Whatever file of a repository rots, it is noticed or does no harm, no wrong byte is ever restored, and what can be saved is saved.',
    how: 'One file of a repository of five snapshots is damaged (bits, bytes, sectors, cut, lengthened, exchanged, turned back, removed); all data is checked, every snapshot read in full, the repository repaired, everything read again, and a backup taken.',
    command: 'npm run test:rot',
    figures,
    failures: trials.filter(({ failures }) => failures.length > 0).length,
    seeds: `HOLDFAST_TEST_SEED=${SEED} HOLDFAST_TEST_DAMAGES=${trials.length}`,
  });
}
