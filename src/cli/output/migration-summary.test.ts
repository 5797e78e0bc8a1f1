import { describe, expect, it } from 'vitest';
import { renderMigration, renderRestoredVersions } from './migration-summary.ts';

const step = (version: string) => ({ version, name: 'x', canUndo: true });
const about = { sourceId: 'app', database: 'data/app.db' };

describe('the end of a migration in words', () => {
  it('Z-34, Z-86: names versions, steps and what is to be done', () => {
    const older = {
      ...about,
      version: '1.0.0',
      state: 'older',
      pending: [step('1.1.0')],
      changed: [],
    };
    expect(renderMigration({ databases: [older] })).toBe(
      'app data/app.db: 1.0.0; 1 step to run: 1.1.0_x',
    );
    expect(renderMigration({ databases: [] })).toBe('No database has migrations.');
    const newer = { ...about, version: '9', state: 'newer', message: 'it is newer', pending: [] };
    expect(renderMigration({ databases: [newer] })).toContain('it is newer');
    const up = {
      ...about,
      direction: 'up',
      from: '1.0.0',
      to: '1.1.0',
      message: '1 of 1 steps up',
    };
    expect(renderMigration({ ...up, migrationsRun: 1, preMigrateSnapshotId: 'a'.repeat(64) })).toBe(
      'data/app.db: from 1.0.0 to 1.1.0, 1 of 1 steps up; before that: snapshot aaaaaaaa',
    );
    expect(renderMigration({ ...up, migrationsRun: 0, message: 'nothing to do' })).toBe(
      'data/app.db: nothing to do',
    );
    const fits = { database: 'data/app.db', compatible: false, message: 'data/app.db is at 9' };
    expect(renderMigration({ snapshotId: 'x', databases: [fits] })).toBe('no: data/app.db is at 9');
  });

  it('Z-41: of a restore says which databases came to another version', () => {
    const each = {
      database: 'data/app.db',
      backupVersion: '1.0.0',
      currentVersion: '1.1.0',
      requiresMigration: true,
    };
    expect(renderRestoredVersions({ dryRun: true, compatibility: [each], migrations: [] })).toEqual(
      ['data/app.db would be migrated from 1.0.0 to 1.1.0'],
    );
    expect(renderRestoredVersions({ compatibility: [each], migrations: [] })).toEqual([]);
    expect(
      renderRestoredVersions({ compatibility: [each], migrations: [{ database: 'data/app.db' }] }),
    ).toEqual(['data/app.db was migrated from 1.0.0 to 1.1.0']);
  });
});
