import { describe, expect, it } from 'vitest';
import { EXIT } from './exit-codes.ts';
import { followScript, scriptedJob } from './testing/scripted-daemon.ts';
import { scriptedLines } from './testing/scripted-lines.ts';

const withScript = scriptedLines();

describe('commands of the repository', () => {
  it('F21, F40, F-16: delete and prune ask first, and fail without --yes where nobody can answer', async () => {
    const { line, calls } = await withScript({});
    for (const argv of [['delete', 'abcd'], ['prune']]) {
      const { exitCode, stderr } = await line(argv);
      expect(exitCode).toBe(EXIT.usage);
      expect(stderr).toContain('nobody is there to confirm it');
    }
    expect(calls.filter(({ method }) => method !== 'daemon.hello')).toEqual([]);
  });

  it('F40, M-52: prune tells the freed bytes', async () => {
    const result = { dryRun: false, bytesFreed: 2048, packsDropped: 1, packsRewritten: 2 };
    const job = scriptedJob({ kind: 'prune', status: 'succeeded', result });
    const { line, calls } = await withScript({
      ...followScript(job),
      'repository.prune': () => ({ job: scriptedJob({ kind: 'prune' }), coalesced: false }),
    });
    const { exitCode, stdout } = await line(['prune', '--yes']);
    expect(exitCode).toBe(EXIT.ok);
    expect(stdout).toContain('freed');
    expect(calls.find(({ method }) => method === 'repository.prune')?.params).toEqual({
      dryRun: false,
    });
  });

  it('F51: unlock says that a lock never has to be removed', async () => {
    const { line } = await withScript({
      'repository.unlock': () => ({ removedLeases: ['x'], lockPresent: false }),
      'repository.locks': () => ({ locked: false, holder: null, leases: [], unreadable: [] }),
    });
    expect((await line(['repository', 'unlock'])).stdout).toContain('No lock is held');
    expect((await line(['repository', 'locks'])).stdout).toContain('Nobody writes.');
  });
});
