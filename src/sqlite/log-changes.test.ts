import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshDirectory, removeDirectory } from './testing/directories.ts';
import { LogHistory } from './testing/log-history.ts';

let directory: string;
let path: string;
let histories: LogHistory[];

beforeEach(() => {
  directory = freshDirectory();
  path = join(directory, 'app.db');
  mkdirSync(join(directory, 'scratch'));
  histories = [];
});

afterEach(async () => {
  for (const history of histories) await history.end();
  removeDirectory(directory);
});

function historyOf(name: string): LogHistory {
  const history = new LogHistory(join(directory, name), join(directory, 'scratch'));
  histories.push(history);
  return history;
}

const filler = (rows: number, bytes = 300): string =>
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ${rows})
   INSERT INTO t (body) SELECT randomblob(${bytes}) FROM n`;

const touch = (id: number): string => `UPDATE t SET body = randomblob(300) WHERE id = ${id}`;

/** A database of some hundred pages of 512 bytes whose log is never checkpointed of its own accord. */
async function application(
  name = 'app.db',
  { autoCheckpoint = 0, rows = 200 } = {},
): Promise<LogHistory> {
  const history = historyOf(name);
  await history.exec(
    0,
    `PRAGMA page_size=512; PRAGMA auto_vacuum=2; PRAGMA journal_mode=WAL;
     PRAGMA wal_autocheckpoint=${autoCheckpoint};
     CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB); ${filler(rows)};
     CREATE TABLE u (id INTEGER PRIMARY KEY, body BLOB)`,
  );
  return history;
}

const touches = (from: number, count: number): string =>
  Array.from({ length: count }, (_, index) => touch(from + index)).join(';');

/** Its log was begun anew before, as that of any application that has run for a while: older frames stand behind. */
async function settledApplication(name = 'app.db'): Promise<LogHistory> {
  const history = await application(name);
  await history.exec(0, `PRAGMA wal_checkpoint(PASSIVE); ${touches(20, 20)}`);
  return history;
}

describe('changesInLog() proves from the log', () => {
  it('frames that were appended name the pages that changed, and no checkpoint changes that', async () => {
    const history = await application();
    await history.look();
    await history.exec(0, touch(1));
    const appended = await history.look();
    expect(appended).toMatchObject({ known: 'same log', wrong: [] });
    expect(appended.kept).toBeGreaterThan(appended.bytes.length / 512 - 10);
    await history.exec(0, `${touch(2)}; PRAGMA wal_checkpoint(PASSIVE)`);
    expect(await history.look()).toMatchObject({ known: 'same log', wrong: [] });
    expect(await history.look()).toMatchObject({ known: 'same log', wrong: [] });
  });

  it('a log begun once in its place: what is left of the old one, and the new one', async () => {
    const history = await settledApplication();
    await history.look();
    await history.exec(0, `${touch(1)}; PRAGMA wal_checkpoint(PASSIVE); ${touch(150)}`);
    const next = await history.look();
    expect(next).toMatchObject({ known: 'next log', wrong: [] });
    expect(next.kept).toBeGreaterThan(next.bytes.length / 512 - 15);
    await history.exec(
      0,
      `${touch(3)}; PRAGMA wal_checkpoint(PASSIVE); ${touch(4)};
      PRAGMA wal_checkpoint(PASSIVE); ${touch(5)}`,
    );
    expect(await history.look()).toMatchObject({ known: 'not at all' });
  });

  it('nothing where the new log has grown over the place where the old one was known', async () => {
    const history = await application('app.db', { rows: 2 });
    await history.look();
    await history.exec(0, `PRAGMA wal_checkpoint(PASSIVE); ${filler(100)}`);
    expect(await history.look()).toMatchObject({ known: 'not at all' });
  });

  it('nothing where the old log ends with its file: it may have been cut', async () => {
    const history = await settledApplication();
    const { position } = await history.look();
    const frames = position!.frame + 10;
    await history.exec(
      0,
      `PRAGMA journal_size_limit = ${32 + frames * (24 + 512)}; ${touches(60, 20)};
       PRAGMA wal_checkpoint(PASSIVE); ${touch(100)}`,
    );
    expect(statSync(`${path}-wal`).size).toBe(32 + frames * (24 + 512));
    expect(await history.look()).toMatchObject({ known: 'not at all' });
  });

  it.each([
    ['a log cut to nothing', 'PRAGMA wal_checkpoint(TRUNCATE)'],
    ['another journal mode and back', 'PRAGMA journal_mode=DELETE; PRAGMA journal_mode=WAL'],
    [
      'another page size',
      'PRAGMA journal_mode=DELETE; PRAGMA page_size=1024; VACUUM; PRAGMA journal_mode=WAL',
    ],
  ])('nothing after %s', async (_what, sql) => {
    const history = await application();
    await history.look();
    await history.exec(0, `${touch(1)}; ${sql}; ${touch(2)}`);
    expect(await history.look()).toMatchObject({ known: 'not at all' });
  });

  it('nothing after the last one closed it', async () => {
    const history = await application();
    await history.look();
    await history.exec(0, touch(1));
    await history.reopen(0);
    await history.exec(0, touch(2));
    expect(await history.look()).toMatchObject({ known: 'not at all' });
  });

  it('a crash, and the recovery of the log after it, keep the log what it was', async () => {
    const history = await application();
    await history.look();
    await history.exec(0, `BEGIN; ${touch(1)}; ${filler(100)}`);
    await history.crash(0);
    await history.exec(1, touch(7));
    expect(await history.look()).toMatchObject({ known: 'same log', wrong: [] });
  });

  it('frames of a transaction given up, and written over, are none', async () => {
    const history = await application();
    await history.look();
    await history.exec(0, `BEGIN; ${filler(300)}; UPDATE t SET body = NULL; ROLLBACK; ${touch(9)}`);
    const state = await history.look();
    expect(state).toMatchObject({ known: 'same log', wrong: [] });
    expect(state.kept).toBeGreaterThan(state.bytes.length / 512 - 10);
  });

  it('pages that were cut off and came back', async () => {
    const history = await settledApplication();
    await history.exec(
      0,
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 60)
       INSERT INTO u (body) SELECT randomblob(300) FROM n`,
    );
    await history.look();
    // Freed, cut off, checkpointed; then allocated and freed within one transaction.
    await history.exec(
      0,
      `DELETE FROM u; PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(PASSIVE);
      ${touch(2)}; PRAGMA cache_size = 2000; BEGIN; CREATE TABLE v (body BLOB); INSERT INTO v VALUES (zeroblob(30000));
      DROP TABLE v; COMMIT`,
    );
    expect(await history.look()).toMatchObject({ known: 'next log', wrong: [] });
  });

  it('a vacuum names every page', async () => {
    const history = await application();
    await history.look();
    await history.exec(0, 'DELETE FROM t WHERE id % 3 = 0; VACUUM');
    const state = await history.look();
    expect(state).toMatchObject({ known: 'same log', wrong: [] });
    expect(state.kept).toBeLessThan(10);
  });

  it('nothing about a database that stands in its place by now', async () => {
    const first = await application();
    const second = await application('other.db');
    await first.look();
    for (const history of [first, second]) await history.end();
    renameSync(path, join(directory, 'aside.db'));
    renameSync(join(directory, 'other.db'), path);
    rmSync(`${path}-wal`);
    renameSync(join(directory, 'other.db-wal'), `${path}-wal`);
    renameSync(join(directory, 'other.db-shm'), `${path}-shm`);
    await first.exec(0, touch(1));
    expect(await first.look()).toMatchObject({ known: 'not at all' });
  });

  it('nothing where the file was written and no checkpoint did it', async () => {
    const history = await application();
    await history.exec(0, `PRAGMA wal_checkpoint(PASSIVE); ${touch(1)}`);
    await history.look();
    await history.end();
    const bytes = readFileSync(path);
    bytes[bytes.length - 100]! ^= 1;
    const { ino } = statSync(path);
    writeFileSync(path, bytes);
    expect(statSync(path).ino).toBe(ino);
    await history.exec(1, touch(2));
    expect(await history.look()).toMatchObject({ known: 'not at all' });
  });

  it('nothing where the part of the old log that is needed is damaged', async () => {
    for (const at of [8, 400]) {
      const name = `damaged-${at}.db`;
      const history = await settledApplication(name);
      const { position } = await history.look();
      await history.exec(
        0,
        `${touch(1)}; ${touch(50)}; ${touch(90)}; PRAGMA wal_checkpoint(PASSIVE); ${touch(150)}`,
      );
      const log = readFileSync(join(directory, `${name}-wal`));
      // In the salts of the second frame since, or in its page.
      log[32 + (position!.frame + 1) * (24 + 512) + at]! ^= 1;
      writeFileSync(join(directory, `${name}-wal`), log);
      const state = await history.look();
      expect(state.known).toBe('not at all');
    }
  });
});

type Act = (history: LogHistory) => Promise<unknown>;
type Step = [what: string, act: Act];

const writer = fc.nat(1);
const on = (sql: fc.Arbitrary<string>): fc.Arbitrary<Step> =>
  fc
    .tuple(writer, sql)
    .map(([index, text]): Step => [`${index}: ${text}`, (h) => h.exec(index, text)]);
const id = fc.integer({ min: 1, max: 300 });

/** What applications do to a database; looks are put in between. */
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: on(id.map(touch)) },
  { weight: 4, arbitrary: on(fc.integer({ min: 1, max: 60 }).map((rows) => filler(rows))) },
  {
    weight: 2,
    arbitrary: on(id.map((from) => `DELETE FROM t WHERE id > ${from} AND id < ${from} + 40`)),
  },
  { weight: 2, arbitrary: on(id.map((n) => `BEGIN; ${filler(n)}; ROLLBACK`)) },
  {
    weight: 2,
    arbitrary: on(
      id.map((n) => `BEGIN; ${touch(n)}; SAVEPOINT s; ${filler(n)}; ROLLBACK TO s; COMMIT`),
    ),
  },
  {
    weight: 2,
    arbitrary: on(
      id.map(
        (n) =>
          `PRAGMA cache_size = ${n * 5}; BEGIN; CREATE TABLE v (b); INSERT INTO v VALUES (zeroblob(${n * 100})); DROP TABLE v; COMMIT`,
      ),
    ),
  },
  { weight: 2, arbitrary: on(fc.constant('PRAGMA incremental_vacuum')) },
  {
    weight: 1,
    arbitrary: on(
      fc.nat(150).map((frames) => `PRAGMA journal_size_limit = ${32 + frames * (24 + 512)}`),
    ),
  },
  { weight: 1, arbitrary: on(fc.constant('VACUUM')) },
  {
    weight: 5,
    arbitrary: on(
      fc
        .constantFrom('PASSIVE', 'PASSIVE', 'FULL', 'RESTART', 'TRUNCATE')
        .map((mode) => `PRAGMA wal_checkpoint(${mode})`),
    ),
  },
  { weight: 1, arbitrary: on(fc.constant('PRAGMA journal_mode=DELETE; PRAGMA journal_mode=WAL')) },
  // A reader that stays holds the log in place; a transaction that stays open keeps the other from writing.
  {
    weight: 2,
    arbitrary: on(fc.constantFrom('BEGIN; SELECT count(*) FROM t', 'COMMIT', 'COMMIT')),
  },
  {
    weight: 1,
    arbitrary: writer.map((index): Step => [`${index}: reopen`, (h) => h.reopen(index)]),
  },
  { weight: 1, arbitrary: writer.map((index): Step => [`${index}: crash`, (h) => h.crash(index)]) },
  { weight: 8, arbitrary: fc.constant<Step>(['look', lookAt]) },
);

const seen = { 'same log': 0, 'next log': 0, 'not at all': 0 };

async function lookAt(history: LogHistory): Promise<void> {
  const { known, wrong } = await history.look();
  seen[known] += 1;
  expect(wrong).toEqual([]);
}

describe('changesInLog() is never wrong', () => {
  const numRuns = Number(process.env['HOLDFAST_TEST_SEQUENCES'] ?? 20);

  it(
    'whatever applications do between two looks: no page that is said to be unchanged has changed',
    async () => {
      let run = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(0, 20, 60),
          fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }),
          async (autoCheckpoint, steps) => {
            run += 1;
            const history = await application(`run-${run}.db`, { autoCheckpoint, rows: 100 });
            try {
              await history.look();
              for (const [, act] of steps) await act(history);
              await lookAt(history);
            } finally {
              await history.end();
            }
          },
        ),
        { numRuns, verbose: 1 },
      );
      expect(seen['same log']).toBeGreaterThan(numRuns);
      // Rare enough that few sequences may have none.
      if (numRuns >= 100) expect(seen['next log']).toBeGreaterThan(0);
      console.log(`of ${numRuns} sequences:`, seen);
    },
    60_000 + numRuns * 3_000,
  );
});
