import { describe, expect, it } from 'vitest';
import { changesInLog } from './log-changes.ts';
import { WrittenLog } from './testing/written-log.ts';

/** What can be told only of logs that applications hardly ever write. */

/** Two frames known, two more of the same log behind them, and frames of an older one behind those. */
function olderLog(
  salt1: number,
  sequence: number,
): { log: WrittenLog; known: () => ReturnType<WrittenLog['position']> } {
  const log = new WrittenLog().begin(7, 7, sequence);
  for (let page = 900; page < 910; page++) log.commit(page);
  log
    .begin(salt1, 1, sequence + 1)
    .commit(1)
    .commit(2);
  const position = log.position();
  log.commit(3).commit(4);
  return { log, known: () => position };
}

const isChanged = (pages: ReturnType<typeof changesInLog>, page: number): boolean | undefined =>
  pages === null ? undefined : !pages.isUnchanged((page - 1) * 512, 512, 512);

describe('changesInLog()', () => {
  it('knows the next log by salt 1, beyond 2^32 as well', () => {
    for (const salt1 of [1, 0xfffffffe, 0xffffffff]) {
      const { log, known } = olderLog(salt1, 4);
      log.begin(salt1 + 1, 99, 6).commit(5);
      const pages = changesInLog(known(), log.now(), log.read);
      expect([1, 2, 3, 4, 5, 6].map((page) => isChanged(pages, page))).toEqual([
        false,
        false,
        true,
        true,
        true,
        false,
      ]);
    }
  });

  it('does not take a log for the next one whose salts were drawn at random: sequence 0', () => {
    const { log, known } = olderLog(10, 4);
    log.begin(11, 99, 0).commit(5);
    expect(changesInLog(known(), log.now(), log.read)).toBeNull();
  });

  it.each([9, 10, 12, 13, 4_000_000_000])(
    'nor one with salt 1 at %i, where 10 was known',
    (salt1) => {
      const { log, known } = olderLog(10, 4);
      log.begin(salt1, 99, 6).commit(5);
      expect(changesInLog(known(), log.now(), log.read)).toBeNull();
    },
  );

  it('believes no log whose known frame is another by now, salts and number being the same', () => {
    const log = new WrittenLog().begin(10, 1, 1).commit(1).commit(2);
    const known = log.position();
    log.begin(10, 1, 1).commit(8).commit(9).commit(3);
    expect(changesInLog(known, log.now(), log.read)).toBeNull();
  });

  it('believes no wal-index that goes beyond the log, or is of another page size', () => {
    const log = new WrittenLog().begin(10, 1, 1).commit(1);
    const known = log.position();
    log.commit(2);
    expect(isChanged(changesInLog(known, log.now(), log.read), 2)).toBe(true);
    expect(changesInLog(known, { ...log.now(), lastFrame: 3 }, log.read)).toBeNull();
    expect(changesInLog(known, { ...log.now(), frameChecksum: [1, 2] }, log.read)).toBeNull();
    expect(changesInLog(known, { ...log.now(), pageBytes: 1024 }, log.read)).toBeNull();
  });

  it('holds a page for changed that was cut off, wherever in between', () => {
    const log = new WrittenLog().begin(10, 1, 1).commit(1, 100);
    const known = log.position();
    log.commit(2, 50).commit(3, 100);
    const pages = changesInLog(known, log.now(), log.read);
    expect([50, 51, 100].map((page) => isChanged(pages, page))).toEqual([false, true, true]);
  });

  it('notices that the log is begun anew while it is read', () => {
    const { log, known } = olderLog(10, 4);
    log.begin(11, 99, 6).commit(5);
    const now = log.now();
    let reads = 0;
    const read = (offset: number, lengthBytes: number): Buffer => {
      // Two logs later, and over the known frame, between two looks at it.
      if (++reads === 2) log.begin(12, 5, 7).commit(20).commit(21).commit(22).commit(23).commit(24);
      return log.read(offset, lengthBytes);
    };
    expect(changesInLog(known(), now, read)).toBeNull();
  });
});
