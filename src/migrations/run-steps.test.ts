import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MigrationSettings } from '../config/settings.ts';
import { type Activity, quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { MigrationHistory } from './migration-history.ts';
import { pendingSteps, stepsToUndo } from './plan-steps.ts';
import { runSteps } from './run-steps.ts';
import { newestVersion, readSchemaVersion } from './schema-version.ts';
import { readStepSet } from './step-set.ts';
import { migrationSettings, ORDER_STEPS, writeSteps } from './testing/step-files.ts';

let home: string;
let directory: string;
let database: Database.Database;
let history: MigrationHistory;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'holdfast-steps-'));
  directory = join(home, 'steps');
  writeSteps(directory, ORDER_STEPS);
  database = new Database(join(home, 'app.db'));
  history = await MigrationHistory.open(home, () => {});
});
afterEach(() => {
  database.close();
  history.close();
  rmSync(home, { recursive: true, force: true });
});

interface Run {
  readonly direction?: 'up' | 'down';
  readonly to?: string;
  readonly settings?: Partial<MigrationSettings>;
  readonly activity?: Activity;
}

async function run({
  direction = 'up',
  to,
  settings: changes,
  activity = quietActivity(),
}: Run = {}) {
  const settings = migrationSettings(directory, changes);
  const set = await readStepSet(directory);
  const found = readSchemaVersion(database, settings, set);
  if (found.state !== 'known') throw new Error(JSON.stringify(found));
  const target = to ?? newestVersion(set);
  const steps =
    direction === 'up'
      ? pendingSteps(set, found.version, target)
      : stepsToUndo(set, found.version, target);
  const about = {
    set,
    steps,
    direction,
    settings,
    sourceId: 'app',
    jobId: 'job',
    history,
  } as const;
  return runSteps(database, { ...about, purpose: 'migrate' }, systemClock, activity);
}

const version = (): unknown => database.pragma('user_version', { simple: true });
const schema = (): unknown =>
  database
    .prepare("SELECT type, name, replace(sql, '\"', '') FROM sqlite_schema ORDER BY name")
    .raw()
    .all();
const rows = () => history.list({}, null, 100).reverse();

describe('running steps', () => {
  it('Z-84, Z-34, F36: in order, each in one transaction with its version and with its own row', async () => {
    await expect(run({ to: '1.9.0' })).resolves.toEqual({
      success: true,
      message: '2 of 2 steps up',
      migrationsRun: 2,
      migrationsTotal: 2,
      appliedVersions: ['1.0.0', '1.9.0'],
      errors: [],
    });
    expect(version()).toBe(2);
    database.exec(
      "INSERT INTO customers VALUES (1, 'Ada'); INSERT INTO orders VALUES (1, 1, 5, 'x')",
    );
    expect(await run()).toMatchObject({ appliedVersions: ['1.10.0'] });
    expect(database.prepare('SELECT * FROM customers').raw().all()).toEqual([[1, 'Ada', 'A']]);
    // M-56: a parent that is made anew takes no row of its children along.
    expect(database.prepare('SELECT count(*) FROM orders').pluck().get()).toBe(1);
    expect(await run()).toMatchObject({
      success: true,
      message: 'nothing to do',
      migrationsRun: 0,
    });
    expect(rows()).toMatchObject([
      { version: '1.0.0', direction: 'up', leadsTo: '1.0.0', success: true, error: null },
      { version: '1.9.0', direction: 'up', leadsTo: '1.9.0', success: true, error: null },
      { version: '1.10.0', name: 'names', leadsTo: '1.10.0', success: true },
    ]);
    for (const { startedAt, finishedAt } of rows()) {
      expect(finishedAt).toBeGreaterThanOrEqual(startedAt);
    }
  });

  it('Z-85: down again, the newest first, to each version there was, with rows of both directions', async () => {
    const schemas = new Map([['0.0.0', schema()]]);
    for (const to of ['1.0.0', '1.9.0', '1.10.0']) {
      await run({ to });
      schemas.set(to, schema());
    }
    for (const to of ['1.9.0', '1.0.0', '0.0.0']) {
      const { appliedVersions } = await run({ direction: 'down', to });
      expect(appliedVersions).toHaveLength(1);
      expect(schema()).toEqual(schemas.get(to));
    }
    expect(version()).toBe(0);
    expect(rows().map(({ direction, leadsTo }) => `${direction} ${leadsTo}`)).toEqual([
      'up 1.0.0',
      'up 1.9.0',
      'up 1.10.0',
      'down 1.9.0',
      'down 1.0.0',
      'down 0.0.0',
    ]);
  });

  it('Z-84, Z-D23: stops at the first failure, with a row of it; the steps before stand, nothing of it does', async () => {
    writeSteps(directory, {
      ...ORDER_STEPS,
      '1.9.0_state.up.sql':
        'ALTER TABLE orders ADD COLUMN state TEXT;\nINSERT INTO nowhere VALUES (1);',
    });
    await expect(run()).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringMatching(/1\.9\.0_state \(up\) failed: line 2: no such table: nowhere/),
      details: {
        migration: {
          success: false,
          migrationsRun: 1,
          migrationsTotal: 3,
          appliedVersions: ['1.0.0'],
          errors: [expect.stringContaining('nowhere')],
        },
      },
    });
    expect(version()).toBe(1);
    expect(database.pragma('table_info(orders)')).toHaveLength(3);
    expect(rows()).toMatchObject([
      { version: '1.0.0', success: true },
      { version: '1.9.0', success: false, error: expect.stringContaining('nowhere') },
    ]);
  });

  it('Z-84, Z-D23: a cancel takes effect between two steps, and the finished ones keep their rows', async () => {
    const controller = new AbortController();
    const activity = quietActivity(controller.signal);
    const log = (message: string): void => {
      if (message.includes('1.9.0')) controller.abort();
    };
    await expect(run({ activity: { ...activity, log } })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(version()).toBe(2);
    expect(rows().map((row) => [row.version, row.success])).toEqual([
      ['1.0.0', true],
      ['1.9.0', true],
    ]);
  });

  it('M-56: rows that lose their parent fail the step; those that had none before do not', async () => {
    await run({ to: '1.9.0' });
    database.pragma('foreign_keys = OFF');
    database.exec("INSERT INTO orders VALUES (1, 404, 5, 'orphan before')");
    expect(await run()).toMatchObject({ success: true });
    database.exec(
      "INSERT INTO customers VALUES (1, 'Ada', 'A'); INSERT INTO orders VALUES (2, 1, 5, 'x')",
    );
    writeSteps(directory, { ...ORDER_STEPS, '2.0.0_lose.up.sql': 'DELETE FROM customers;' });
    await expect(run()).rejects.toMatchObject({
      message: expect.stringContaining('1 rows are left without their parent'),
    });
    expect(database.prepare('SELECT count(*) FROM customers').pluck().get()).toBe(1);
  });

  it('F36: full-text tables, their triggers, generated columns and views go along', async () => {
    database.pragma('trusted_schema = OFF');
    writeSteps(directory, {
      '1.0.0_text.up.sql': `
        CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT, size AS (length(body)) STORED);
        CREATE VIRTUAL TABLE found USING fts5(body, content = 'notes', content_rowid = 'id');
        CREATE TRIGGER added AFTER INSERT ON notes BEGIN
          INSERT INTO found (rowid, body) VALUES (new.id, new.body);
        END;
        INSERT INTO notes (body) VALUES ('one; two'), ('three');
        CREATE VIEW sizes AS SELECT id, size FROM notes;`,
    });
    await run();
    expect(database.prepare("SELECT rowid FROM found('two')").pluck().all()).toEqual([1]);
    expect(database.prepare('SELECT size FROM sizes').pluck().all()).toEqual([8, 5]);
  });

  it('F36: a step that could not run refuses those before it as well', async () => {
    writeSteps(directory, { ...ORDER_STEPS, '2.0.0_bad.up.sql': 'SELECT 1;\nCOMMIT;' });
    await expect(run()).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('line 2: COMMIT is refused'),
    });
    expect(version()).toBe(0);
    expect(rows()).toEqual([]);
  });

  it('F36: a step cannot end its transaction, by statement or by module', async () => {
    for (const [name, text] of [
      ['0.1.0_x.up.sql', 'CREATE TABLE a (b); COMMIT; CREATE TABLE c (d);'],
      ['0.1.0_x.mjs', "export const up = (database) => database.run('COMMIT');"],
      ['0.1.0_x.mjs', "export const up = (database) => database.exec('ROLLBACK; SELECT 1');"],
      ['0.1.0_x.mjs', 'export const other = 1;'],
      ['0.1.0_x.mjs', "export const up = () => { throw new Error('its own'); };"],
    ] as const) {
      writeSteps(directory, { [name]: text });
      await expect(run()).rejects.toMatchObject({ code: 'MIGRATION_FAILED' });
      expect(schema()).toEqual([]);
    }
  });
});

describe('any way from version to version', () => {
  it('Z-83, Z-85: leads to the same database, whichever steps there are and however it came there', async () => {
    const part = fc.nat(12);
    const versions = fc.uniqueArray(fc.tuple(part, part), {
      minLength: 1,
      maxLength: 5,
      selector: ([minor, patch]) => `${minor}.${patch}`,
    });
    await fc.assert(
      fc.asyncProperty(versions, fc.array(fc.nat(5), { maxLength: 5 }), async (all, walk) => {
        const ordered = all
          .sort((left, right) => left[0] - right[0] || left[1] - right[1])
          .map(([minor, patch]) => `1.${minor}.${patch}`);
        const files = ordered.flatMap((each, index) => [
          [`${each}_x.up.sql`, `CREATE TABLE t${index} (a);`],
          [`${each}_x.down.sql`, `DROP TABLE t${index};`],
        ]);
        writeSteps(directory, Object.fromEntries(files));
        database.close();
        database = new Database(':memory:');
        let current = 0;
        for (const wanted of walk) {
          const target = Math.min(wanted, ordered.length);
          const to = ordered[target - 1] ?? '0.0.0';
          await run({ direction: target >= current ? 'up' : 'down', to });
          const tables = ordered.slice(0, target).map((_, index) => `t${index}`);
          expect(database.prepare('SELECT name FROM sqlite_schema').pluck().all()).toEqual(tables);
          expect(version()).toBe(target);
          current = target;
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe('the version of a database', () => {
  const known = async (settings: Partial<MigrationSettings> = {}) =>
    readSchemaVersion(
      database,
      migrationSettings(directory, settings),
      await readStepSet(directory),
    );

  it('F36: of one that holds tables and says none is unknown, unless the source assumes one', async () => {
    expect(await known()).toEqual({ state: 'known', version: '0.0.0' });
    database.exec('CREATE TABLE a (b)');
    expect(await known()).toMatchObject({ state: 'unknown' });
    expect(await known({ assumeVersion: '1.0.0' })).toEqual({ state: 'known', version: '1.0.0' });
    database.pragma('user_version = 99');
    expect(await known({ assumeVersion: '1.0.0' })).toEqual({ state: 'newer', version: '99' });
  });

  it('is read and written where the application keeps it, in the transaction of each step', async () => {
    const settings = {
      versionQuery: 'SELECT version FROM schemaVersion',
      versionStatement: 'UPDATE schemaVersion SET version = @version',
    };
    writeSteps(directory, {
      ...ORDER_STEPS,
      '0.1.0_table.up.sql':
        "CREATE TABLE schemaVersion (version TEXT); INSERT INTO schemaVersion VALUES ('0.0.1');",
      '0.1.0_table.down.sql': 'DROP TABLE schemaVersion;',
    });
    expect(await known(settings)).toEqual({ state: 'known', version: '0.0.0' });
    await run({ settings });
    expect(await known(settings)).toEqual({ state: 'known', version: '1.10.0' });
    expect(version()).toBe(0);
    await run({ settings, direction: 'down', to: '0.1.0' });
    expect(await known(settings)).toEqual({ state: 'known', version: '0.1.0' });
    // Without a statement the step itself must write it.
    const silent = { versionQuery: settings.versionQuery };
    await expect(run({ settings: silent })).rejects.toMatchObject({
      message: expect.stringContaining('afterwards the version should be 1.0.0: it says 0.1.0'),
    });
    expect(await known({ versionQuery: 'DELETE FROM schemaVersion' })).toMatchObject({
      state: 'unknown',
    });
  });
});
