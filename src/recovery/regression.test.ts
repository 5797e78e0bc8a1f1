import {
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteChild } from '../sqlite/testing/processes.ts';
import { query, Workbench } from './testing/workbench.ts';

/** What passes every check of SQLite and yet went back in time; and all that looks like it and did not. */

let bench: Workbench;
let app: string;

beforeEach(async () => {
  bench = await Workbench.create();
  app = bench.path('app.db');
});
afterEach(() => bench.remove());

const STEPS = {
  insert:
    "INSERT INTO notes(body) SELECT hex(randomblob(300)) FROM notes LIMIT 40; INSERT INTO notes(body) VALUES ('one')",
  update: "UPDATE notes SET body = 'changed ' || id WHERE id % 3 = 0",
  deleteAll: 'DELETE FROM notes',
  vacuum: 'VACUUM',
  passive: 'PRAGMA wal_checkpoint(PASSIVE)',
  truncate: 'PRAGMA wal_checkpoint(TRUNCATE)',
  toWal: 'PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0',
  toRollback: 'PRAGMA journal_mode = DELETE',
  table: 'CREATE TABLE IF NOT EXISTS more(x); INSERT INTO more VALUES (1)',
} as const;
type Step = keyof typeof STEPS | 'close' | 'crash' | 'snapshot' | 'look';

/** One life of an application: what it does, and how it ends. */
class History {
  #child: SqliteChild | null = null;

  async #application(): Promise<SqliteChild> {
    if (this.#child !== null) return this.#child;
    this.#child = SqliteChild.start();
    await this.#child.open(app);
    return this.#child;
  }

  async end(how: 'close' | 'crash'): Promise<void> {
    await (how === 'close' ? this.#child?.close() : this.#child?.kill());
    this.#child = null;
  }

  async take(step: Step): Promise<void> {
    if (step === 'close' || step === 'crash') await this.end(step);
    else if (step === 'snapshot') await snapshot();
    else if (step === 'look') await bench.recover({ mode: 'check-only' });
    else await (await this.#application()).attempt({ exec: STEPS[step] });
  }
}

/** With the WAL laid over the file, as captures do. */
async function snapshot(): Promise<void> {
  const aside = `${bench.directory}/aside.db`;
  for (const suffix of ['', '-wal']) {
    rmSync(`${aside}${suffix}`, { force: true });
    if (existsSync(`${app}${suffix}`)) copyFileSync(`${app}${suffix}`, `${aside}${suffix}`);
  }
  query(aside, (database) => database.pragma('wal_checkpoint(TRUNCATE)'));
  const walBytes = existsSync(`${app}-wal`) ? readFileSync(`${app}-wal`).length : 0;
  await bench.snapshot(['app.db'], { walBytes, images: { 'app.db': readFileSync(aside) } });
}

async function states(): Promise<string[]> {
  const { databases } = await bench.recover({ mode: 'check-only' });
  return databases.map(({ state }) => state);
}

/** Times of a file move in ticks, and so do clocks. */
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30));

function make(mode: 'wal' | 'delete'): void {
  const database = new Database(app);
  try {
    database.pragma(`journal_mode = ${mode}`);
    database.exec(`CREATE TABLE notes(id INTEGER PRIMARY KEY, body TEXT);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
      INSERT INTO notes SELECT i, 'body ' || i || hex(zeroblob(200)) FROM n`);
  } finally {
    database.close();
  }
}

describe('what an application may do to its database', () => {
  it('is never taken for a step back in time, whatever it does and however it ends', async () => {
    const step = fc.constantFrom<Step>(
      ...(Object.keys(STEPS) as (keyof typeof STEPS)[]),
      'close',
      'crash',
      'snapshot',
      'look',
      'look',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('wal' as const, 'delete' as const),
        fc.array(step, { minLength: 3, maxLength: 9 }),
        async (mode, steps) => {
          for (const suffix of ['', '-wal', '-shm', '-journal'])
            rmSync(`${app}${suffix}`, { force: true });
          rmSync(bench.repository, { recursive: true, force: true });
          rmSync(`${bench.state}/checks.json`, { force: true });
          make(mode);
          const history = new History();
          try {
            for (const each of steps) await history.take(each);
            await history.end('crash');
            expect(await states()).toEqual(['ok']);
          } finally {
            await history.end('crash');
          }
        },
      ),
      { numRuns: Number(process.env['HOLDFAST_TEST_HISTORIES'] ?? 8), seed: 5 },
    );
  });
});

describe('what is reported as regressed, and left as it is', () => {
  /** A crash left commits in the WAL that the file does not have. */
  async function crashedWithCommits(): Promise<void> {
    make('wal');
    const child = SqliteChild.start();
    await child.open(app);
    await child.exec(STEPS.toWal);
    await child.exec(STEPS.update);
    await child.exec(STEPS.insert);
    await child.kill();
    await tick();
  }

  it('a WAL lost that only a check had seen: no snapshot knows its commits', async () => {
    await crashedWithCommits();
    expect(await states()).toEqual(['ok']);
    rmSync(`${app}-wal`);
    rmSync(`${app}-shm`, { force: true });
    expect(await states()).toEqual(['regressed']);
    // Still so at the next look, until a person takes it for the truth.
    expect(await states()).toEqual(['regressed']);
    await snapshot();
    expect(await states()).toEqual(['ok']);
  });

  it('a WAL that was cut since it was seen', async () => {
    await crashedWithCommits();
    expect(await states()).toEqual(['ok']);
    truncateSync(`${app}-wal`, 32 + 4120);
    expect(await states()).toEqual(['regressed']);
  });

  it('a WAL of the snapshot lost', async () => {
    await crashedWithCommits();
    await snapshot();
    rmSync(`${app}-wal`);
    expect(await states()).toEqual(['regressed']);
  });

  it('an emptied file', async () => {
    make('delete');
    await snapshot();
    truncateSync(app, 0);
    expect(await states()).toEqual(['regressed']);
  });

  it('an older copy put in place', async () => {
    make('delete');
    const older = readFileSync(app);
    query(app, (database) => database.exec(STEPS.update));
    await snapshot();
    writeFileSync(app, older);
    expect(await states()).toEqual(['regressed']);
    utimesSync(app, 1, 1);
    expect(await states()).toEqual(['regressed']);
  });
});
