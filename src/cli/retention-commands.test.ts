import { describe, expect, it } from 'vitest';
import { EXIT } from './exit-codes.ts';
import { followScript, scriptedJob } from './testing/scripted-daemon.ts';
import { scriptedLines } from './testing/scripted-lines.ts';

const withScript = scriptedLines();

const RULES = {
  keepLast: null,
  keepHourly: null,
  keepDaily: 7,
  keepWeekly: -1,
  keepMonthly: 0,
  keepYearly: null,
  keepWithinMs: null,
  maxAgeMs: 86_400_000,
};
const POLICY = {
  ...RULES,
  pick: 'newest',
  timeZone: 'UTC',
  minKeep: 1,
  minGood: 2,
  origins: { manual: null },
  preRestore: { keepLast: 5, maxAgeMs: null },
};
const PREVIEW = {
  items: [
    {
      id: 'a'.repeat(64),
      shortId: 'aaaaaaaa',
      capturedAt: '2026-01-02T03:04:05.000Z',
      origin: 'manual',
      action: 'keep',
      reasons: ['newest', 'daily 2026-01-02'],
    },
  ],
  nextCursor: null,
  sourceId: 'app',
  policy: POLICY,
  keepCount: 1,
  removeCount: 3,
};

describe('holdfast retention', () => {
  it('shows the policy of a source in words, and what is odd about it', async () => {
    const answer = { sourceId: 'app', policy: POLICY, warnings: ['that is odd'] };
    const { line } = await withScript({ 'retention.get': () => answer });
    const { stdout, stderr } = await line(['retention', 'show', 'app']);
    expect(stdout).toMatch(/keeps: +7 daily, all weekly, what is younger than 1 d/);
    expect(stdout).toMatch(/manual: +all/);
    expect(stderr).toContain('warning: that is odd');
    expect((await line(['retention', '--json'])).document).toEqual(answer);
  });

  it('F37, F-16: previews the policy of the source, with reasons', async () => {
    const { calls, line } = await withScript({ 'retention.preview': () => PREVIEW });
    const { stdout, stderr, exitCode } = await line(['retention', 'preview']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('newest, daily 2026-01-02');
    expect(stderr).toContain('1 snapshot would stay, 3 go.');
    expect(calls[0]!.params).toEqual({ limit: 100 });
    expect((await line(['retention', 'preview', '--json'])).document).toEqual(PREVIEW);
  });

  it('previews rules given on the line, or a preset, but not both', async () => {
    const { calls, line } = await withScript({ 'retention.preview': () => PREVIEW });
    const rules = ['--keep-daily', '7', '--keep-monthly', '-1', '--max-age', '30d'];
    await line(['retention', 'preview', 'app', ...rules]);
    await line(['retention', 'preview', '--preset', 'gfs']);
    expect(calls.map(({ params }) => params['policy'])).toEqual([
      { keepDaily: 7, keepMonthly: -1, maxAgeMs: 30 * 86_400_000 },
      'gfs',
    ]);
    const both = await line(['retention', 'preview', '--preset', 'gfs', '--keep-last', '1']);
    expect(both.exitCode).toBe(EXIT.usage);
    expect((await line(['retention', 'preview', '--keep-last', '-2'])).exitCode).toBe(EXIT.usage);
  });
});

describe('holdfast forget', () => {
  const result = {
    dryRun: false,
    sources: [
      { sourceName: 'app', removedCount: 2, keptCount: 5, skippedReason: null },
      { sourceName: 'wiki', removedCount: 0, keptCount: 0, skippedReason: 'no policy' },
    ],
    orphaned: [{ sourceId: 'gone', sourceName: 'gone', snapshots: 4 }],
  };
  const script = {
    ...followScript({ kind: 'forget', status: 'succeeded', result }),
    'retention.apply': () => ({ job: scriptedJob({ kind: 'forget' }), coalesced: false }),
  };

  it('F39: asks first, and fails without --yes where nobody can answer', async () => {
    const { calls, line } = await withScript(script);
    expect((await line(['forget'])).exitCode).toBe(EXIT.usage);
    expect((await line(['forget'], { answer: 'n' })).exitCode).toBe(EXIT.cancelled);
    expect(calls).toEqual([]);
  });

  it('F39, M-10: tells what became of each source, skipped and orphaned ones too', async () => {
    const { calls, line } = await withScript(script);
    const { stdout } = await line(['forget', 'app', '--yes']);
    expect(calls[0]).toEqual({ method: 'retention.apply', params: { sources: ['app'] } });
    expect(stdout).toBe(
      'app: 2 snapshots removed, 5 kept\n' +
        'wiki: skipped, no policy\n' +
        '4 snapshots of "gone", which is no longer configured, stay: --orphaned gone\n',
    );
    await line(['forget', '--dry-run']);
    await line(['forget', '--orphaned', 'gone', '--orphaned', 'lost', '--yes']);
    const asked = calls.filter(({ method }) => method === 'retention.apply');
    expect(asked.slice(1).map(({ params }) => params)).toEqual([
      { dryRun: true },
      { orphans: ['gone', 'lost'] },
    ]);
  });
});
