import { describe, expect, it } from 'vitest';
import { EXIT } from './exit-codes.ts';
import {
  type Answer,
  followScript,
  ScriptedError,
  scriptedJob,
} from './testing/scripted-daemon.ts';
import { scriptedLines } from './testing/scripted-lines.ts';

const withScript = scriptedLines();

const submitting =
  (fields: Parameters<typeof scriptedJob>[0] = {}, coalesced = false): Answer =>
  () => ({ job: scriptedJob(fields), coalesced });

describe('holdfast backup', () => {
  it('F58, T-08: sends what was asked for and ends with the final document of the job', async () => {
    const end = { status: 'succeeded', result: { snapshotId: 'abcdef' } } as const;
    const { calls, line } = await withScript({
      ...followScript(end),
      'snapshot.create': submitting(),
    });
    const result = await line([
      'backup',
      'app',
      '--type',
      'data',
      '--tag',
      'a',
      '--tag',
      'b',
      '--reason',
      'why',
      '--json',
    ]);
    expect(calls[0]).toEqual({
      method: 'snapshot.create',
      params: { sourceId: 'app', type: 'data', tags: ['a', 'b'], reason: 'why' },
    });
    expect(result.exitCode).toBe(0);
    expect(result.document).toMatchObject({ id: 'job-1', exitCode: 0, snapshotId: 'abcdef' });
  });

  it('shows progress on stderr alone and a summary on stdout', async () => {
    const result = {
      shortId: 'abcdef12',
      sourceId: 'app',
      skewMs: 12,
      statistics: { databases: 1, files: 2, totalBytes: 2048, addedBytes: 512 },
    };
    const progress = {
      phase: 'hash',
      currentFile: null,
      filesDone: 1,
      totalFiles: 2,
      bytesDone: 0,
      totalBytes: null,
      percentDone: 0.5,
      throughputBps: null,
      etaSeconds: null,
    };
    const { line } = await withScript({
      ...followScript({ status: 'succeeded', warnings: 1, result }),
      'snapshot.create': submitting({ progress }),
    });
    const { exitCode, stdout, stderr } = await line(['backup']);
    expect(exitCode).toBe(EXIT.warnings);
    expect(stdout).toBe(
      'Snapshot abcdef12 of app: 1 database, 2 files, 2.0 KiB, 512 B added, skew 12 ms\n',
    );
    expect(stderr).toContain('hash 50% 1/2 files');
    expect(stderr).toContain('Done with 1 warning');
  });

  it('--no-wait ends with the job as accepted', async () => {
    const { calls, line } = await withScript({ 'snapshot.create': submitting() });
    expect(await line(['backup', '--no-wait'])).toMatchObject({ exitCode: 0, stdout: 'job-1\n' });
    expect(calls).toHaveLength(1);
  });

  it("hands the daemon's refusal on as exit code and words", async () => {
    const { line } = await withScript({
      'snapshot.create': () => {
        throw new ScriptedError('QUEUE_FULL', 'Cannot enqueue "backup": full');
      },
    });
    const { exitCode, stderr } = await line(['backup']);
    expect(exitCode).toBe(EXIT.busy);
    expect(stderr).toContain('Cannot enqueue "backup": full');
  });
});

describe('Ctrl-C', () => {
  /** A job that ends when it is cancelled, and a signal that is aborted once the job is awaited. */
  function cancellable() {
    const controller = new AbortController();
    let end = (): void => {};
    const cancelled = new Promise<void>((resolve) => {
      end = resolve;
    });
    const script = {
      ...followScript({}),
      'job.wait': async () => {
        controller.abort(new Error('Ctrl-C'));
        await cancelled;
        return { finished: true, job: scriptedJob({ status: 'cancelled', exitCode: 130 }) };
      },
      'job.cancel': () => {
        end();
        return scriptedJob({});
      },
    };
    return { script, signal: controller.signal };
  }

  it('F58, M-38: cancels the job that the command started, awaits its end, and is 130', async () => {
    const { script, signal } = cancellable();
    const { calls, line } = await withScript({ ...script, 'snapshot.create': submitting() });
    const { exitCode, document } = await line(['backup', '--json'], { signal });
    expect(exitCode).toBe(EXIT.cancelled);
    expect(document).toMatchObject({ status: 'cancelled', exitCode: 130 });
    expect(calls.map(({ method }) => method)).toContain('job.cancel');
  });

  it('leaves a job alone that was already waiting before the command', async () => {
    const { script, signal } = cancellable();
    const create = submitting({}, true);
    const { calls, line } = await withScript({ ...script, 'snapshot.create': create });
    expect((await line(['backup'], { signal })).exitCode).not.toBe(0);
    expect(calls.map(({ method }) => method)).not.toContain('job.cancel');
  });
});

describe('destructive commands', () => {
  it('F58: are refused without --yes where nobody can answer, before the daemon hears of it', async () => {
    const { calls, line } = await withScript({});
    for (const argv of [
      ['restore', 'latest', '--in-place'],
      ['quarantine', 'purge', 'q1'],
    ]) {
      const { exitCode, stderr } = await line(argv);
      expect(exitCode).toBe(EXIT.usage);
      expect(stderr).toContain('--yes');
    }
    expect(calls).toEqual([]);
  });

  it('ask, and do nothing unless the answer is yes', async () => {
    const { calls, line } = await withScript({
      'recovery.quarantinePurge': () => ({ purged: ['q1'] }),
    });
    expect((await line(['quarantine', 'purge', 'q1'], { answer: '' })).exitCode).toBe(130);
    expect(calls).toEqual([]);
    const agreed = await line(['quarantine', 'purge', 'q1'], { answer: 'y' });
    expect(agreed).toMatchObject({ exitCode: 0, stdout: 'Deleted q1\n' });
    await line(['quarantine', 'purge', '--policy'], { answer: 'y' });
    expect(calls.map(({ params }) => params)).toEqual([{ id: 'q1' }, { policy: true }]);
  });

  it('F58: --json never asks, even at a terminal', async () => {
    const { line } = await withScript({});
    const { exitCode } = await line(['restore', 'latest', '--in-place', '--json'], { answer: 'y' });
    expect(exitCode).toBe(EXIT.usage);
  });

  it('a dry run needs no confirmation', async () => {
    const { calls, line } = await withScript({
      ...followScript({ kind: 'restore', status: 'succeeded', result: { dryRun: true } }),
      'restore.run': submitting({ kind: 'restore' }),
    });
    const { exitCode } = await line(['restore', 'latest', '--in-place', '--dry-run']);
    expect(exitCode).toBe(0);
    expect(calls[0]!.params).toMatchObject({ target: { type: 'in-place' }, dryRun: true });
  });
});
