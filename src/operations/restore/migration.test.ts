import { readdirSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MigrationSettings } from '../../config/settings.ts';
import { testSettings } from '../../config/testing/settings.ts';
import { type Activity, quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import {
  migrationSettings,
  ORDER_STEPS,
  ORDER_VERSIONS,
  writeSteps,
} from '../../migrations/testing/step-files.ts';
import { Workbench } from '../../recovery/testing/workbench.ts';
import { backup } from '../backup.ts';
import { migrate } from '../migrate/migrate.ts';
import type { Operation, OperationContext } from '../operation.ts';
import { applyStaged } from './apply.ts';
import { restore } from './restore.ts';
import { stage } from './stage.ts';

let bench: Workbench;
let steps: string;
let jobs = 0;
let warnings: string[];
let migration: Partial<MigrationSettings>;
/** By version: a snapshot of the application at that version. */
const snapshots = new Map<string, string>();

/** The application as it grew, made once: each test works on a copy of all of it. */
let template: Workbench;
beforeAll(async () => {
  bench = await Workbench.create();
  template = bench;
  reset();
  steps = writeSteps(join(bench.directory, 'steps'), ORDER_STEPS);
  const database = new Database(bench.path('app.db'));
  database.pragma('journal_mode = WAL');
  database.close();
  for (const target of ORDER_VERSIONS) {
    await run(migrate, { action: 'up', target, checkpoint: false });
    live((each) => each.exec(`INSERT INTO customers (name) VALUES ('at ${target}')`));
    snapshots.set(target, (await run(backup, {}))['snapshotId']);
  }
}, 60_000);
afterAll(() => template.remove());

beforeEach(async () => {
  bench = await Workbench.create();
  reset();
  await cp(template.directory, bench.directory, { recursive: true });
  steps = join(bench.directory, 'steps');
});
afterEach(() => bench.remove());

function reset(): void {
  warnings = [];
  migration = {};
}

async function contextOf(): Promise<OperationContext> {
  const settings = testSettings(bench.directory, {
    stateDirectory: bench.state,
    repositoryDirectory: bench.repository,
    sources: [{ ...bench.source, migrations: [migrationSettings(steps, migration)] }],
  });
  jobs += 1;
  const jobId = `job-${jobs}`;
  const scratchDirectory = join(bench.state, 'scratch', jobId);
  await mkdir(scratchDirectory, { recursive: true });
  const activity: Activity = { ...quietActivity(), warn: (message) => warnings.push(message) };
  return { activity, settings, clock: systemClock, jobId, scratchDirectory };
}

async function run(operation: Operation<any>, params: object): Promise<any> {
  return operation.run(await contextOf(), operation.params.parse(params));
}

function live<Result>(
  use: (database: Database.Database) => Result,
  path = bench.path('app.db'),
): Result {
  const database = new Database(path, { fileMustExist: true });
  try {
    return use(database);
  } finally {
    database.close();
  }
}
const versionAt = (path?: string): unknown =>
  live((database) => database.pragma('user_version', { simple: true }), path);
const names = (path?: string): unknown =>
  live(
    (database) => database.prepare('SELECT name FROM customers ORDER BY id').pluck().all(),
    path,
  );

const inPlace = (snapshotId: string, more: object = {}): Promise<any> =>
  run(restore, { snapshotId, target: { type: 'in-place' }, replaceDatabases: true, ...more });
const of = (version: (typeof ORDER_VERSIONS)[number]): string => snapshots.get(version)!;

describe('a restore of a source with migrations', () => {
  it('Z-88, Z-41, Z-D22, C-16: brings a snapshot of every version back at the newest one, whatever stands there now', async () => {
    for (const [index, version] of ORDER_VERSIONS.entries()) {
      // The live database is gone, and with it whatever it knew.
      await rm(bench.path('app.db'));
      const result = await inPlace(of(version));
      expect(versionAt()).toBe(3);
      expect(names()).toEqual(ORDER_VERSIONS.slice(0, index + 1).map((each) => `at ${each}`));
      expect(result.compatibility).toMatchObject([
        {
          database: 'data/app.db',
          backupVersion: version,
          currentVersion: '1.10.0',
          compatible: true,
          migrationVersions: ORDER_VERSIONS.slice(index + 1),
        },
      ]);
      const migrated = { success: true, appliedVersions: ORDER_VERSIONS.slice(index + 1) };
      expect(result.migrations).toMatchObject([{ database: 'data/app.db', ...migrated }]);
      expect(readdirSync(bench.data)).toEqual(['app.db']);
      expect(live((database) => database.pragma('journal_mode', { simple: true }))).toBe('wal');
    }
  });

  it('Z-85, F36: rolls the application back to each version: down, or a snapshot as it was', async () => {
    for (const target of [...ORDER_VERSIONS].reverse()) {
      await run(migrate, { action: 'down', target });
      expect(names()).toHaveLength(3);
    }
    await inPlace(of('1.9.0'), { migrate: false });
    expect(versionAt()).toBe(2);
    expect(names()).toHaveLength(2);
    expect(warnings.join()).toContain('1 steps to 1.10.0, which are not run');
  });

  it('Z-88: does the same in a directory, and is exact there where nothing is migrated', async () => {
    const to = join(bench.directory, 'out');
    const place = join(to, 'data', 'app.db');
    await run(restore, { snapshotId: of('1.0.0'), target: { type: 'directory', path: to } });
    expect(versionAt(place)).toBe(3);
    const target = { type: 'directory', path: join(bench.directory, 'exact') };
    await run(restore, { snapshotId: of('1.0.0'), target, migrate: false });
    expect(versionAt(join(target.path, 'data', 'app.db'))).toBe(1);
    const { databases } = await run(migrate, { action: 'status' });
    expect(databases[0]).toMatchObject({ version: '1.10.0', changed: [] });
  });

  it('Z-88, Z-D22: a plan shows the steps that would run, and is carried out with them', async () => {
    const plan = await inPlace(of('1.0.0'), { dryRun: true });
    expect(plan.compatibility[0].migrationVersions).toEqual(['1.9.0', '1.10.0']);
    expect(plan.migrations).toEqual([]);
    expect(versionAt()).toBe(3);
    expect(names()).toHaveLength(3);
    await run(restore, { planId: plan.planId });
    expect(versionAt()).toBe(3);
    expect(names()).toEqual(['at 1.0.0']);
  });

  it('C-D6: a newer snapshot is refused with SCHEMA_TOO_NEW and nothing is touched, unless it is asked for', async () => {
    await rm(join(steps, '1.10.0_names.mjs'));
    const before = await readFile(bench.path('app.db'));
    live((database) => database.exec("DELETE FROM customers WHERE name = 'at 1.0.0'"));
    const changed = await readFile(bench.path('app.db'));
    expect(changed).not.toEqual(before);
    for (const target of [{ type: 'in-place' }, { type: 'directory' }]) {
      await expect(inPlace(of('1.10.0'), { target })).rejects.toMatchObject({
        code: 'SCHEMA_TOO_NEW',
        details: { compatibility: { backupVersion: '3', currentVersion: '1.9.0' } },
      });
    }
    expect(await readFile(bench.path('app.db'))).toEqual(changed);
    await inPlace(of('1.10.0'), { dryRun: true });
    expect(warnings.join()).toContain('the restore would be refused');
    const forced = await inPlace(of('1.10.0'), { allowNewer: true });
    expect(forced.compatibility).toMatchObject([{ compatible: false }]);
    expect(versionAt()).toBe(3);
    expect(names()).toHaveLength(3);
  });

  it('Z-D22, C-D6: a step that fails leaves the target as it was', async () => {
    await writeFile(join(steps, '1.9.5_bad.up.sql'), 'UPDATE nowhere SET a = 1;');
    const before = await readFile(bench.path('app.db'));
    await expect(inPlace(of('1.0.0'))).rejects.toMatchObject({ code: 'MIGRATION_FAILED' });
    expect(await readFile(bench.path('app.db'))).toEqual(before);
    expect(readdirSync(bench.data)).toEqual(['app.db']);
    // An emergency does not wait for the step to be mended.
    await inPlace(of('1.0.0'), { migrate: false });
    expect(versionAt()).toBe(1);
  });

  it('Z-88: a staged restore is migrated when it is staged, and put in place as it is', async () => {
    const staged = await run(stage, { snapshotId: of('1.0.0'), replaceDatabases: true });
    expect(staged.migrations).toMatchObject([{ appliedVersions: ['1.9.0', '1.10.0'] }]);
    expect(names()).toHaveLength(3);
    await run(applyStaged, {});
    expect(versionAt()).toBe(3);
    expect(names()).toEqual(['at 1.0.0']);
  });

  it('F36: an unknown version is an error, unless the source assumes one or nothing is migrated', async () => {
    live((database) => database.pragma('user_version = 0'));
    const { snapshotId } = await run(backup, {});
    live((database) => database.pragma('user_version = 3'));
    await expect(inPlace(snapshotId)).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    await inPlace(snapshotId, { migrate: false });
    expect(versionAt()).toBe(0);
    live((database) => database.pragma('user_version = 3'));
    migration = { assumeVersion: '1.10.0' };
    await inPlace(snapshotId);
    expect(versionAt()).toBe(0);
  });
});

describe('the check of a snapshot', () => {
  it('Z-87, Z-30, Z-D22: goes by the version of the snapshot itself, not by what the live database has', async () => {
    for (const [index, version] of ORDER_VERSIONS.entries()) {
      const { databases, compatible, requiresMigration } = await run(migrate, {
        action: 'check',
        snapshotId: of(version),
      });
      expect(compatible).toBe(true);
      expect(requiresMigration).toBe(index < 2);
      expect(databases).toEqual([
        {
          database: 'data/app.db',
          backupVersion: version,
          currentVersion: '1.10.0',
          compatible: true,
          requiresMigration: index < 2,
          migrationsNeeded: 2 - index,
          migrationVersions: ORDER_VERSIONS.slice(index + 1),
          message: expect.any(String),
        },
      ]);
    }
  });

  it('Z-87, C-D6: of a newer or an unknown one fails, or with force reports it; a query reads the image', async () => {
    const check = (more: object = {}) =>
      run(migrate, { action: 'check', snapshotId: of('1.10.0'), ...more });
    await rm(join(steps, '1.10.0_names.mjs'));
    await expect(check()).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' });
    expect(await check({ force: true })).toMatchObject({ compatible: false });
    migration = { versionQuery: "SELECT '1.9.0' FROM customers" };
    expect(await check()).toMatchObject({ compatible: true, requiresMigration: false });
    migration = { versionQuery: 'SELECT name FROM customers' };
    await expect(check()).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    expect(await check({ force: true })).toMatchObject({
      databases: [{ backupVersion: null, compatible: false }],
    });
  });
});
