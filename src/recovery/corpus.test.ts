import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CorpusVerdict } from './testing/corpus/trial.ts';

/** The corpus is not part of the project: HOLDFAST_CORPUS names its directory. bench/corpus-bench.mjs tells which it is. */
const corpus = process.env['HOLDFAST_CORPUS'];

interface NamedVerdict extends CorpusVerdict {
  readonly group: string;
  readonly name: string;
  /** Why there is no verdict: an error that is not ours, a hang, too much memory. */
  readonly failed: string | null;
}

const bench = (name: string): URL => new URL(`../../bench/${name}`, import.meta.url);

/** As the committed table says them. */
function committedTotals(): string {
  const text = readFileSync(bench('corpus-bench.md'), 'utf8');
  return /^\d+ databases, \d+ rows\. .*$/m.exec(text)![0];
}

function totalsOf(verdicts: readonly NamedVerdict[]): string {
  const sum = (pick: (verdict: NamedVerdict) => number): number =>
    verdicts.reduce((total, each) => total + pick(each), 0);
  const counts = (way: 'select' | 'salvage'): string =>
    `${sum((each) => each[way].right)} right, ${sum((each) => each[way].missing)} missing, ${sum((each) => each[way].wrong)} wrong`;
  const rows = sum((each) => each.rows);
  return `${verdicts.length} databases, ${rows} rows. SELECT: ${counts('select')}. Salvage: ${counts('salvage')}.`;
}

/** Values of a reserved type: read as NULL by SQLite, not vouched for by salvage. */
const RESERVED = '15-13';

describe.skipIf(corpus === undefined)(
  'the databases of the corpus that HOLDFAST_CORPUS names',
  () => {
    let verdicts: NamedVerdict[];

    beforeAll(() => {
      const { stdout } = spawnSync(
        process.execPath,
        [bench('corpus-bench.mjs').pathname, '--corpus', corpus!, '--json'],
        { encoding: 'utf8', maxBuffer: 2 ** 26 },
      );
      verdicts = JSON.parse(stdout);
    }, 600_000);

    it('are each read within bounds of time and memory, and without an error that is not ours', () => {
      expect(verdicts.length).toBeGreaterThan(100);
      expect(verdicts.filter(({ failed }) => failed !== null)).toEqual([]);
    });

    it('give back no row that was deleted, and none that never was', () => {
      for (const { name, salvage } of verdicts) {
        expect([name, salvage.deleted, salvage.wrong]).toEqual([name, 0, 0]);
      }
    });

    it('are salvaged whole where nothing is wrong, and nowhere worse than SELECT shows them', () => {
      for (const { name, condition, salvage, select, rows } of verdicts) {
        if (name === RESERVED) continue;
        expect([name, salvage.right]).toEqual([name, Math.max(salvage.right, select.right)]);
        if (condition === 'ok') expect([name, salvage.right]).toEqual([name, rows]);
      }
    });

    it('are not called ok where SELECT fails or shows rows that never were', () => {
      for (const { name, condition, select } of verdicts) {
        if (select.stopped !== null || select.wrong > 0)
          expect([name, condition]).toEqual([name, 'corrupt']);
      }
    });

    it('give the counts of the committed table', () => {
      expect(totalsOf(verdicts)).toBe(committedTotals());
    });
  },
);
