import { describe, expect, it } from 'vitest';
import type { FinishedJob } from '../job-outcome.ts';
import { renderJobSummary } from './job-summary.ts';

const summary = (kind: FinishedJob['kind'], result: FinishedJob['result']): string =>
  renderJobSummary({ id: 'j', kind, status: 'succeeded', warnings: 0, result, error: null }, false);

describe('renderJobSummary()', () => {
  it('a dry run of a restore lists what would be done, and that it was not', () => {
    const entry = { action: 'overwrite', logicalPath: 'data/a', target: '/srv/a', bytes: 5 };
    const totals = { created: 0, overwritten: 1, unchanged: 2, skipped: 0, bytesPlanned: 5 };
    const text = summary('restore', {
      snapshotId: 'abcdef0123',
      dryRun: true,
      entries: [entry],
      entriesOmitted: 7,
      ...totals,
    });
    expect(text.split('\n')).toEqual([
      'ACTION     SIZE  PATH    TARGET  REASON',
      'overwrite   5 B  data/a  /srv/a',
      'and 7 entries more',
      'Would restore snapshot abcdef01: 0 created, 1 overwritten, 2 unchanged, 0 skipped, 5 B',
    ]);
  });

  it('a restore names where the replaced files are', () => {
    const text = summary('restore', {
      snapshotId: 'abcdef0123',
      quarantineId: 'q1',
      preRestoreSnapshotId: '0123456789',
    });
    expect(text).toContain('in quarantine: q1');
    expect(text).toContain('before: 01234567');
  });

  it('a backup whose database failed its check says so', () => {
    expect(summary('backup', { shortId: 'ab', good: false, skippedCount: 1 })).toMatch(
      /failed its check.*1 entry skipped/,
    );
  });

  it('T-42: a backup has a line for each plugin, and none where there are no plugins', () => {
    const plugins = [
      { name: 'issues', ok: true, files: 2 },
      { name: 'dump\u001b[2J', ok: false, files: 0, reason: 'it ended with exit code 9' },
    ];
    const lines = summary('backup', { shortId: 'ab', plugins }).split('\n');
    expect(lines.slice(1)).toEqual([
      'Plugin issues: 2 files',
      'Plugin dump\\u001b[2J: FAILED (it ended with exit code 9)',
    ]);
    expect(summary('backup', { shortId: 'ab', plugins: [] })).not.toContain('Plugin');
  });

  it('results of an unknown shape are shown as far as they are understood, and never throw', () => {
    const kinds = [
      'backup',
      'restore',
      'recover',
      'verify',
      'check',
      'rebuild',
      'reconcile',
    ] as const;
    for (const kind of kinds) {
      for (const result of [{}, { entries: 5, verified: null, sources: [1], statistics: 'x' }]) {
        expect(typeof summary(kind, result)).toBe('string');
      }
    }
  });
});
