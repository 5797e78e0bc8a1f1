import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../kernel/errors.ts';
import { isRetryable, retryDelayMs } from './retry-policy.ts';

const MINUTE_MS = 60_000;
const DEFAULTS = { maxAttempts: 3, backoffMs: 10 * MINUTE_MS, backoffMaxMs: 30 * MINUTE_MS };

/** Without the tenth that is given or taken. */
const roughMinutes = (attempt: number): number =>
  Math.round(retryDelayMs(DEFAULTS, attempt, 'BUSY', 'a job') / (10 * MINUTE_MS)) * 10;

describe('when a failed run is tried again', () => {
  it('F44: after 10 minutes, 20, then 30 at most; three times as long for a full disk', () => {
    expect([1, 2, 3, 4, 50].map((attempt) => roughMinutes(attempt))).toEqual([10, 20, 30, 30, 30]);
    for (const attempt of [1, 2, 3]) {
      const ratio =
        retryDelayMs(DEFAULTS, attempt, 'NO_SPACE', 'a job') /
        retryDelayMs(DEFAULTS, attempt, 'BUSY', 'a job');
      expect(ratio).toBeCloseTo(3);
    }
  });

  it('give or take a tenth, the same for the same job, another for another', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 1, max: 60 }), (id, attempt) => {
        const delayMs = retryDelayMs(DEFAULTS, attempt, 'BUSY', id);
        const wholeMs = Math.min(10 * MINUTE_MS * 2 ** (attempt - 1), 30 * MINUTE_MS);
        expect(Math.abs(delayMs - wholeMs)).toBeLessThanOrEqual(wholeMs * 0.1 + 1);
        expect(retryDelayMs(DEFAULTS, attempt, 'BUSY', id)).toBe(delayMs);
      }),
    );
    const delays = Array.from({ length: 50 }, (_, job) =>
      retryDelayMs(DEFAULTS, 1, 'BUSY', `job ${job}`),
    );
    expect(new Set(delays).size).toBeGreaterThan(40);
  });

  it('what may pass by itself is, what is final is not, whatever the error says of itself', () => {
    const retried = (code: ErrorCode, retryable = false) => isRetryable({ code, retryable });
    for (const code of ['BUSY', 'SOURCE_MISSING', 'REPO_LOCKED', 'NO_SPACE', 'IO_ERROR'] as const) {
      expect(retried(code)).toBe(true);
    }
    for (const code of [
      'CANCELLED',
      'CONFIG_INVALID',
      'SOURCE_CORRUPT',
      'VERIFY_FAILED',
    ] as const) {
      expect(retried(code, true)).toBe(false);
    }
    const others = ERROR_CODES.filter((code) => !retried(code) && retried(code, true));
    expect(others).toContain('INTERNAL');
  });
});
