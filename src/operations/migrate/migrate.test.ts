import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SourceSettings } from '../../config/settings.ts';
import { historyPath } from '../../migrations/migration-history.ts';
import { ORDER_STEPS, ORDER_VERSIONS } from '../../migrations/testing/step-files.ts';
import { openReader } from '../../store/repository.ts';
import { backup } from '../backup.ts';
import { recover } from '../recover.ts';
import { copyLiveDatabase } from '../restore/staged-database.ts';
import { MigrationBench } from '../testing/migration-bench.ts';
import { migrateStaged } from './migrate-staged.ts';

const hasShell = spawnSync('sqlite3', ['-version']).status === 0;

let subject: MigrationBench;
beforeEach(async () => {
  subject = await MigrationBench.create();
});
afterEach(() => subject.remove());

describe('migrating a database that stands in a source', () => {
  it('F36, Z-84, Z-86, Z-33: goes up on a copy that takes its place, with a snapshot of what it was, and says so in status and history', async () => {
    await subject.makeDatabase('1.0.0');
    const result = await subject.run({ action: 'up' });
    expect(result).toMatchObject({
      from: '1.0.0',
      to: '1.10.0',
      success: true,
      migrationsRun: 2,
      appliedVersions: ['1.9.0', '1.10.0'],
      errors: [],
    });
    expect(subject.version()).toBe(3);
    expect(
      subject.live((database) => database.prepare('SELECT * FROM customers').raw().all()),
    ).toEqual([[1, 'Ada', 'A']]);
    const reader = await openReader(subject.bench.repository);
    const { origin, databases } = await reader.readManifest(result.preMigrateSnapshotId);
    reader.close();
    expect(origin).toBe('pre-migrate');
    expect(databases).toMatchObject([{ path: 'data/app.db', userVersion: 1 }]);
    expect(readdirSync(subject.bench.data)).toEqual(['app.db']);
    const status = await subject.run({ action: 'status' });
    expect(status.databases).toMatchObject([
      { database: 'data/app.db', version: '1.10.0', state: 'current', pending: [], changed: [] },
    ]);
    expect(readdirSync(subject.bench.data)).toEqual(['app.db']);
    expect(
      (await subject.history()).map((row) => [row.version, row.success, row.installed]),
    ).toEqual([
      ['1.0.0', true, true],
      ['1.9.0', true, true],
      ['1.10.0', true, true],
    ]);
  });

  it('Z-83, Z-84: shows what is pending, plans in a dry run, and says where there is nothing to do', async () => {
    await subject.makeDatabase('1.0.0');
    const { databases } = await subject.run({ action: 'pending' });
    expect(databases[0].pending.map((step: { version: string }) => step.version)).toEqual([
      '1.9.0',
      '1.10.0',
    ]);
    const some = await subject.run({ action: 'pending', target: '1.9.0' });
    expect(some.databases[0].pending).toHaveLength(1);
    await expect(subject.run({ action: 'pending', target: '1.2.0' })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
    expect(await subject.run({ action: 'up', dryRun: true })).toMatchObject({
      dryRun: true,
      migrationsRun: 0,
      migrationsTotal: 2,
      message: expect.stringContaining('1.9.0, 1.10.0'),
    });
    expect(subject.version()).toBe(1);
    await subject.run({ action: 'up' });
    expect(await subject.run({ action: 'up' })).toMatchObject({
      success: true,
      migrationsRun: 0,
      message: expect.stringContaining('no migrations to apply'),
    });
  });

  it('Z-85: goes down to each version, and nowhere where the target is not below', async () => {
    await subject.makeDatabase();
    for (const target of ['1.10.0', '1.9.0', '1.0.0', '0.0.0'] as const) {
      const { appliedVersions, message } = await subject.run({ action: 'down', target });
      if (target === '1.10.0') expect(message).toContain('no migrations to undo');
      else expect(appliedVersions).toHaveLength(1);
    }
    expect(subject.version()).toBe(0);
    expect(await subject.run({ action: 'down', target: '0.0.0' })).toMatchObject({
      success: true,
      message: expect.stringContaining('no step has run'),
    });
    expect(await subject.run({ action: 'down', target: '1.9.0' })).toMatchObject({
      migrationsRun: 0,
    });
  });

  it('Z-D23: a step that cannot be undone refuses the whole way down before anything is done', async () => {
    await subject.makeDatabase();
    await rm(join(subject.steps, '1.9.0_state.down.sql'));
    const rowsBefore = (await subject.history()).length;
    await expect(subject.run({ action: 'down', target: '0.0.0' })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
      message: expect.stringContaining('1.9.0_state cannot be undone'),
    });
    expect(subject.version()).toBe(3);
    expect(await subject.history()).toHaveLength(rowsBefore);
    await subject.run({ action: 'down', target: '1.9.0' });
    expect(subject.version()).toBe(2);
  });

  it('Z-84, Z-D23: a step that fails leaves the database untouched, and its row tells why', async () => {
    await subject.makeDatabase('1.0.0');
    const before = await readFile(subject.path);
    await writeFile(join(subject.steps, '1.9.1_bad.up.sql'), 'INSERT INTO nowhere VALUES (1);');
    await expect(subject.run({ action: 'up' })).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      details: { migration: { appliedVersions: ['1.9.0'], migrationsTotal: 3 } },
    });
    expect(await readFile(subject.path)).toEqual(before);
    expect((await subject.history()).slice(1)).toMatchObject([
      { version: '1.9.0', success: true, installed: false },
      {
        version: '1.9.1',
        success: false,
        installed: false,
        error: expect.stringContaining('nowhere'),
      },
    ]);
  });

  it('F36: an assertion of the source that would not hold leaves the database untouched', async () => {
    await subject.makeDatabase('1.0.0');
    const sql = "SELECT count(*) FROM pragma_table_info('orders') WHERE name = 'state'";
    const assertions = [{ name: 'old', database: 'data/app.db', sql, expect: 0 }];
    await expect(subject.run({ action: 'up' }, { assertions })).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
    });
    expect(subject.version()).toBe(1);
  });

  it('F36: a file that changed after it had run is refused, unless that is said to be meant', async () => {
    await subject.makeDatabase('1.9.0');
    const changed = `${ORDER_STEPS['1.9.0_state.up.sql']} -- changed`;
    await writeFile(join(subject.steps, '1.9.0_state.up.sql'), changed);
    expect((await subject.run({ action: 'status' })).databases[0].changed).toMatchObject([
      { version: '1.9.0' },
    ]);
    await expect(subject.run({ action: 'up' })).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
      details: { changedSteps: ['1.9.0_state'] },
    });
    expect(subject.version()).toBe(2);
    await subject.run({ action: 'up', force: true });
    expect(subject.version()).toBe(3);
    // Undone, it may change as it likes.
    await subject.run({ action: 'down', target: '1.0.0', force: true });
    await subject.run({ action: 'up' });
  });

  it('C-D2, F36: is refused while another has the database open, and what is written meanwhile is never lost', async () => {
    await subject.makeDatabase('1.0.0');
    const user = new Database(subject.path);
    user.exec('BEGIN IMMEDIATE');
    await expect(subject.run({ action: 'up' })).rejects.toMatchObject({ code: 'TARGET_BUSY' });
    user.exec('ROLLBACK');
    user.close();
    const log = (message: string): void => {
      if (!message.includes('1.10.0')) return;
      subject.live((database) => database.exec("INSERT INTO customers VALUES (2, 'Bob')"));
    };
    await expect(subject.run({ action: 'up' }, {}, { log })).rejects.toMatchObject({
      code: 'TARGET_BUSY',
    });
    expect(subject.version()).toBe(1);
    expect(
      subject.live((database) => database.prepare('SELECT count(*) FROM customers').pluck().get()),
    ).toBe(2);
  });

  it.skipIf(!hasShell)(
    'F36: stops the application before it copies, and starts it on what the steps made',
    async () => {
      await subject.makeDatabase('1.0.0');
      const log = join(subject.bench.directory, 'service.log');
      const write = (word: string): string =>
        `echo ${word} $(sqlite3 ${subject.path} 'PRAGMA user_version') >> ${log}`;
      const service = {
        stop: `${write('stop')}; sqlite3 ${subject.path} "INSERT INTO customers VALUES (9, 'Last')"`,
        start: write('start'),
        status: null,
        afterRestore: null,
        timeoutMs: 10_000,
      };
      await subject.run({ action: 'up' }, { service });
      expect(await readFile(log, 'utf8')).toBe('stop 1\nstart 3\n');
      // Written as it stopped, and carried over.
      expect(
        subject.live((database) => database.prepare('SELECT initial FROM customers').pluck().all()),
      ).toEqual(['A', 'L']);
    },
  );

  it('Z-86: a database that is missing, empty, newer or of no version is reported as what it is', async () => {
    const stateOf = async (): Promise<unknown> =>
      (await subject.run({ action: 'status' })).databases.map(
        ({ state, version: found }: Record<string, unknown>) => [state, found],
      );
    expect(await stateOf()).toEqual([['missing', null]]);
    await expect(subject.run({ action: 'up' })).rejects.toMatchObject({ code: 'SOURCE_MISSING' });
    subject.live((database) => database.exec('CREATE TABLE a (b)'));
    expect(await stateOf()).toEqual([['unknown', null]]);
    await expect(subject.run({ action: 'up' })).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    subject.live((database) => database.pragma('user_version = 9'));
    expect(await stateOf()).toEqual([['newer', '9']]);
    await expect(subject.run({ action: 'up' })).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' });
    await expect(
      subject.run({ action: 'status', database: 'data/other.db' }),
    ).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('Z-80: a history that is damaged is set aside, and hinders nothing', async () => {
    await subject.makeDatabase('1.0.0');
    await writeFile(
      historyPath(subject.bench.state),
      'no database at all, of more than a hundred bytes'.repeat(9),
    );
    await subject.run({ action: 'up' });
    expect(subject.warnings.join()).toContain('set aside');
    expect((await subject.history()).map((row) => row.version)).toEqual(['1.9.0', '1.10.0']);
  });
});

describe('a database that recovery rolled back', () => {
  it('F36: from before an upgrade: the steps that it lacks are named, and not run', async () => {
    await subject.makeDatabase('1.0.0');
    const context = await subject.context();
    await backup.run(context, backup.params.parse({}));
    await subject.run({ action: 'up', checkpoint: false });
    writeFileSync(subject.path, Buffer.alloc(8192, 7));
    await recover.run(context, recover.params.parse({ mode: 'force', acceptLoss: true }));
    expect(subject.version()).toBe(1);
    expect(subject.warnings.join()).toContain(
      'data/app.db is at 1.0.0: 2 steps to 1.10.0. Run them: holdfast migrate up app',
    );
  });
});

describe('a staged database', () => {
  it('C-16: is brought to the newest version before anybody sees it; without migrations it is left alone', async () => {
    await subject.makeDatabase(ORDER_VERSIONS[0]);
    const context = await subject.context();
    const staged = join(subject.bench.directory, 'staged.db');
    await copyLiveDatabase(subject.path, staged, context);
    const [source] = context.settings.sources as [SourceSettings];
    const none = await migrateStaged(context, { ...source, migrations: [] }, 'data/app.db', staged);
    expect(none).toMatchObject({ compatibility: null, migration: { migrationsRun: 0 } });
    expect(await migrateStaged(context, source, 'data/app.db', staged)).toMatchObject({
      compatibility: { backupVersion: '1.0.0', migrationsNeeded: 2 },
      migration: { appliedVersions: ['1.9.0', '1.10.0'] },
    });
    expect(
      readdirSync(subject.bench.directory).filter((name) => name.startsWith('staged')),
    ).toEqual(['staged.db']);
    const opened = new Database(staged);
    expect(opened.pragma('user_version', { simple: true })).toBe(3);
    opened.pragma('user_version = 4');
    opened.close();
    await expect(migrateStaged(context, source, 'data/app.db', staged)).rejects.toMatchObject({
      code: 'SCHEMA_TOO_NEW',
    });
    await migrateStaged(context, source, 'data/app.db', staged, { allowNewer: true });
    expect(subject.warnings.join()).toContain('newer than 1.10.0');
  });
});
