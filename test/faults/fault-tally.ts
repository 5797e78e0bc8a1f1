import { expect } from 'vitest';
import { recordProof } from '../../src/kernel/testing/record-proof.ts';
import { runSeed } from '../support/random.ts';

/** How many faults are tried at each durable step, below 1 at which share of them; 0: a short seeded sample of everything. */
export const FAULTS_PER_STEP = Number(process.env['HOLDFAST_TEST_FAULTS'] ?? 0);
export const isLong = FAULTS_PER_STEP > 0;
export const seed = runSeed();

/** What the suite did, counted as it does it. */
export const tally = {
  scenarios: new Set<string>(),
  steps: 0,
  stepsTried: 0,
  kinds: new Set<string>(),
  cases: 0,
  stepsFailed: 0,
  refused: 0,
  realFaults: 0,
  realKinds: new Set<string>(),
  failures: 0,
};

/** Counts a case, and fails the test with how to have it again. */
export function judge(what: string, problems: readonly string[]): void {
  if (problems.length > 0) tally.failures += 1;
  expect.soft(problems, `${what} (HOLDFAST_TEST_SEED=${seed})`).toEqual([]);
}

export function recordTally(): void {
  if (!isLong) return;
  recordProof({
    suite: 'io-faults',
    promise:
      'A disk that is full, fails or cannot be written costs the work at hand and nothing else.',
    how: 'Every durable step of every kind of work is made to fail, once or from there on, before or after it was carried out; then the disk is mended, every snapshot verified deeply, and the work done again. Real workers get real errors of the kernel through strace; real file systems are filled up and made read-only under a running daemon.',
    command: 'npm run test:faults',
    figures: {
      'kinds of work': tally.scenarios.size,
      'durable steps': tally.steps,
      'of these made to fail': tally.stepsTried,
      'kinds of fault': tally.kinds.size,
      'runs with a fault': tally.cases,
      'steps made to fail': tally.stepsFailed,
      'runs that said so': tally.refused,
      'real faults injected': tally.realFaults,
      'kinds of real fault': tally.realKinds.size,
    },
    failures: tally.failures,
    seeds: String(seed),
  });
}
