import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../kernel/errors.ts';
import { EXIT, exitCodeOfError } from './exit-codes.ts';
import { exitCodeOfJob, type FinishedJob, finalDocument } from './job-outcome.ts';

const job = (fields: Partial<FinishedJob>): FinishedJob => ({
  id: 'j',
  kind: 'backup',
  status: 'succeeded',
  warnings: 0,
  result: { snapshotId: 'abc' },
  error: null,
  ...fields,
});

describe('exitCodeOfError()', () => {
  it('F58: is a documented, non-zero exit code for every error there is', () => {
    const documented: number[] = Object.values(EXIT);
    for (const code of ERROR_CODES) {
      const exitCode = exitCodeOfError(code);
      expect(documented, code).toContain(exitCode);
      expect([EXIT.ok, EXIT.warnings], code).not.toContain(exitCode);
    }
  });

  it('F58: keeps the codes scripts go by', () => {
    expect(exitCodeOfError('INVALID_PARAMS')).toBe(2);
    expect(exitCodeOfError('CONFIRMATION_REQUIRED')).toBe(2);
    expect(exitCodeOfError('DAEMON_UNREACHABLE')).toBe(4);
    expect(exitCodeOfError('NOT_FOUND')).toBe(10);
    expect(exitCodeOfError('TARGET_BUSY')).toBe(11);
    expect(exitCodeOfError('REPO_LOCKED')).toBe(11);
    expect(exitCodeOfError('VERIFY_FAILED')).toBe(12);
    expect(exitCodeOfError('CANCELLED')).toBe(130);
    expect(exitCodeOfError('NO_SPACE')).toBe(1);
  });
});

describe('exitCodeOfJob()', () => {
  it('M-40, M-D7, F58: tells success, warnings, failure by its cause, and cancellation apart', () => {
    const error = { code: 'VERIFY_FAILED', message: '', retryable: false } as const;
    expect(exitCodeOfJob(job({}))).toBe(0);
    expect(exitCodeOfJob(job({ warnings: 2 }))).toBe(3);
    expect(exitCodeOfJob(job({ status: 'failed', error }))).toBe(12);
    expect(exitCodeOfJob(job({ status: 'failed' }))).toBe(1);
    expect(exitCodeOfJob(job({ status: 'cancelled' }))).toBe(130);
  });

  it('a recovery that left a database unfit has failed, though its job succeeded', () => {
    expect(exitCodeOfJob(job({ kind: 'recover', result: { ok: false } }))).toBe(1);
    expect(exitCodeOfJob(job({ kind: 'recover', result: { ok: true } }))).toBe(0);
    const recovered = (...states: string[]) => {
      const databases = states.map((state) => ({ state }));
      return job({ kind: 'recover', result: { ok: false, sources: { app: { databases } } } });
    };
    expect(exitCodeOfJob(recovered('ok', 'busy', 'encrypted'))).toBe(3);
    for (const state of ['needs-operator', 'regressed', 'missing', 'unheard-of']) {
      expect(exitCodeOfJob(recovered('busy', state)), state).toBe(1);
    }
  });
});

describe('finalDocument()', () => {
  it('M-23: has the promised fields, and the optional ones only where they hold something', () => {
    expect(finalDocument(job({}))).toEqual({
      id: 'j',
      kind: 'backup',
      status: 'succeeded',
      exitCode: 0,
      warnings: 0,
      stats: { snapshotId: 'abc' },
      snapshotId: 'abc',
    });
    const error = { code: 'NO_SPACE', message: 'full', retryable: true } as const;
    expect(finalDocument(job({ status: 'failed', result: null, error }))).toEqual({
      id: 'j',
      kind: 'backup',
      status: 'failed',
      exitCode: 1,
      warnings: 0,
      stats: null,
      error,
    });
  });
});
