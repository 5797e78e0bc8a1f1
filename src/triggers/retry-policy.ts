import { createHash } from 'node:crypto';
import type { RetrySettings } from '../config/settings.ts';
import type { ErrorCode, ErrorDocument } from '../kernel/errors.ts';

/** What may pass by itself, whether or not the error says so. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'BUSY',
  'INTERRUPTED',
  'IN_USE',
  'IO_ERROR',
  'NO_SPACE',
  'REPO_LOCKED',
  'SOURCE_MISSING',
  'TARGET_BUSY',
  'TIMEOUT',
  'WORKER_CRASHED',
]);

/** What no further run changes: a person is needed, or the answer is final. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'CANCELLED',
  'CONFIG_INVALID',
  'ENCRYPTED',
  'INVALID_PARAMS',
  'PATH_UNSAFE',
  'REPO_CORRUPT',
  'SOURCE_CORRUPT',
  'UNSUPPORTED_FORMAT',
  'VERIFY_FAILED',
]);

/** A full disk is seldom emptied within minutes. */
const NO_SPACE_FACTOR = 3;
/** The wait is this much shorter or longer at most. */
const JITTER = 0.1;

export function isRetryable({
  code,
  retryable,
}: Pick<ErrorDocument, 'code' | 'retryable'>): boolean {
  return !FINAL.has(code) && (retryable || PASSING.has(code));
}

/**
 * How long to wait after `attempt` failed runs, ms.
 * @param seed gives the same jitter each time: the id of the job that failed
 */
export function retryDelayMs(
  { backoffMs, backoffMaxMs }: RetrySettings,
  attempt: number,
  code: ErrorCode,
  seed: string,
): number {
  const factor = code === 'NO_SPACE' ? NO_SPACE_FACTOR : 1;
  const doubled = backoffMs * 2 ** Math.min(attempt - 1, 32);
  const waitMs = Math.min(doubled, Math.max(backoffMs, backoffMaxMs)) * factor;
  const share = createHash('sha256').update(seed).digest().readUInt32BE(0) / 2 ** 32;
  return Math.round(waitMs * (1 + JITTER * (2 * share - 1)));
}
