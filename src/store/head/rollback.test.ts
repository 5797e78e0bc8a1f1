import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordProof } from '../../kernel/testing/record-proof.ts';
import { HeadHistory, putBack } from '../testing/head-history.ts';
import { describeTries, type RollbackTries, tryRollbacks } from '../testing/rollback-tries.ts';

/** HOLDFAST_TEST_ROLLBACK_STEPS: how many changes; HOLDFAST_TEST_SEED chooses them. */
const steps = Number(process.env['HOLDFAST_TEST_ROLLBACK_STEPS'] ?? 10);
const seed = Number(process.env['HOLDFAST_TEST_SEED'] ?? Math.floor(Math.random() * 1e6));

let history: HeadHistory;
beforeEach(async () => {
  history = await HeadHistory.create();
});
afterEach(() => history.dispose());

describe('whoever holds an encrypted repository, and no key', () => {
  it(
    'puts back no earlier version of any file, and none of the whole, unnoticed; nothing is said of what is as it should be',
    async () => {
      const tries = await tryRollbacks(history, steps, seed);
      expect(tries.unnoticed, describeTries(tries, seed)).toEqual([]);
      expect(tries.falseAlarms, describeTries(tries, seed)).toEqual([]);
      expect(tries.files).toBeGreaterThan(steps);
      expect(tries.whole).toBe(steps - 1);
      recordRollbacks(tries);
    },
    steps > 10 ? 3_600_000 : 60_000,
  );

  it('takes no head away, damages none, and cannot exchange it for that of another repository', async () => {
    await history.step(() => 0);
    const head = await history.readAll('head.json');
    const other = await HeadHistory.create();
    await other.step(() => 0);
    const cases = [
      [undefined, 'HEAD_MISSING'],
      [head.subarray(0, -10), 'HEAD_DAMAGED'],
      [await other.readAll('head.json'), 'HEAD_DAMAGED'],
    ] as const;
    for (const [bytes, code] of cases) {
      await putBack(history.path, 'head.json', bytes && Buffer.from(bytes));
      expect((await history.findings()).map((each) => each.code)).toEqual([code]);
      const report = await history.check();
      expect(report.ok).toBe(false);
      // A writer goes on taking snapshots, and makes no new head that would hide it.
      const writer = await history.writer();
      await writer.close();
      expect((await history.findings()).map((each) => each.code)).toEqual([code]);
    }
    await other.dispose();
  });
});

function recordRollbacks({ changes, files, whole, unnoticed, falseAlarms }: RollbackTries): void {
  recordProof({
    suite: 'encryption-rollback',
    promise:
      'Who holds an encrypted repository without its key puts back or takes away nothing unnoticed.',
    how: 'A repository was changed step by step: snapshots, notes, removals, keys. At every fifteenth change and at the end every earlier version of every file was put back alone, and the whole repository as it was after each step; a check was run each time, and after each step of a writer as well, when nothing may be told.',
    command: 'npm run test:encryption',
    figures: {
      changes,
      'files put back or taken away': files,
      'times the whole was set back': whole,
      noticed: files + whole - unnoticed.length,
      'false alarms': falseAlarms.length,
    },
    failures: unnoticed.length + falseAlarms.length,
    seeds: String(seed),
  });
}
