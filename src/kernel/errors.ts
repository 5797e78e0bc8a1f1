/** Every error that leaves an engine is a HoldfastError: a stable code, a hint, the cause kept. */

/** The stable strings that cross the socket in `error.data.code`. */
export const ERROR_CODES = [
  'ALREADY_PENDING',
  'AMBIGUOUS_ID',
  'BUSY',
  'CANCELLED',
  'CAPABILITY_REQUIRED',
  'CONFIG_INVALID',
  'CONFIRMATION_REQUIRED',
  'DAEMON_UNREACHABLE',
  'EMPTY_POLICY',
  'ENCRYPTED',
  'HOOK_FAILED',
  'INSTANCE_LOCKED',
  'INTERNAL',
  'INTERRUPTED',
  'INVALID_CRON',
  'INVALID_PARAMS',
  'IN_USE',
  'IO_ERROR',
  'JOB_FINISHED',
  'KEY_REQUIRED',
  'KEY_WRONG',
  'LIMIT_EXCEEDED',
  'MIGRATION_FAILED',
  'NOT_A_DIRECTORY',
  'NOT_CANCELLABLE',
  'NOT_FOUND',
  'NOT_FRESH',
  'NOT_READY',
  'NO_BACKUP',
  'NO_SPACE',
  'PATH_NOT_FOUND',
  'PATH_UNSAFE',
  'PLAN_CHANGED',
  'PROTOCOL_MISMATCH',
  'QUEUE_FULL',
  'RECOVERY_FAILED',
  'REPO_CORRUPT',
  'REPO_LOCKED',
  'REPO_UNINITIALISED',
  'SANITY_FAILED',
  'SCHEMA_TOO_NEW',
  'SETTING_FIXED',
  'SOURCE_CORRUPT',
  'SOURCE_MISSING',
  'TARGET_BUSY',
  'TARGET_NOT_EMPTY',
  'TIMEOUT',
  'UNSUPPORTED_FORMAT',
  'VERIFY_FAILED',
  'VERSION_CONFLICT',
  'WORKER_CRASHED',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface ErrorOptions {
  /** One sentence that the operator can act on. */
  hint?: string;
  /** True where the same request may succeed later without anybody changing anything. */
  retryable?: boolean;
  /** Evidence: small, serialisable, no secrets. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** The plain form of an error, as it crosses processes and sockets. */
export interface ErrorDocument {
  code: ErrorCode;
  message: string;
  hint?: string;
  retryable: boolean;
  details?: Record<string, unknown>;
}

export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.retryable = options.retryable ?? false;
    this.details = options.details;
  }

  toDocument(): ErrorDocument {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      retryable: this.retryable,
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }

  static fromDocument(document: ErrorDocument): HoldfastError {
    const { code, message, ...options } = document;
    return new HoldfastError(code, message, options);
  }
}

/**
 * Builds an error whose message reads `Cannot <verb> "<thing>": <state>`.
 * @example throw cannot('NOT_FOUND', 'show snapshot', 'ab12', 'no snapshot has this id')
 */
export function cannot(
  code: ErrorCode,
  verb: string,
  thing: string,
  state: string,
  options: ErrorOptions = {},
): HoldfastError {
  return new HoldfastError(code, `Cannot ${verb} "${thing}": ${state}`, options);
}

/** What Node's own errors carry in `code`, or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof HoldfastError) return systemCode(error.cause);
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** An error of a system call itself, as Node throws it: not what a codec says, nor what was told of such an error. */
export function isSystemError(error: unknown): boolean {
  return !(error instanceof HoldfastError) && /^E[A-Z]+$/.test(systemCode(error) ?? '');
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** SQLite's own words for a disk that is full, fails, or does not let it write. Busy and damaged are others' to judge. */
const SQLITE_IO = /^SQLITE_(IOERR|READONLY|CANTOPEN|PERM|NOLFS)/;

/** Of a system or SQLite error: whether there was no room, or the disk failed otherwise; null for all else. */
export function diskFailure(error: unknown): 'NO_SPACE' | 'IO_ERROR' | null {
  const system = systemCode(error);
  if (system === undefined) return null;
  if (system === 'ENOSPC' || system === 'EDQUOT' || system === 'SQLITE_FULL') return 'NO_SPACE';
  return /^E[A-Z0-9]+$/.test(system) || SQLITE_IO.test(system) ? 'IO_ERROR' : null;
}

/** What an operator can do about a disk that does not let us work. */
const DISK_HINTS: Readonly<Record<string, string>> = {
  EROFS: 'The file system is mounted read-only: look at the system log, mount it for writing.',
  EACCES: 'Give the user of the daemon the right to it.',
  EPERM: 'Give the user of the daemon the right to it.',
  EIO: 'The disk fails: look at the system log before anything else is written to it.',
  EMFILE: 'Raise the limit of open files of the daemon.',
  ENFILE: 'The system has too many open files.',
  SQLITE_READONLY:
    'The file system, or the file, cannot be written: look at its mount and its permissions.',
  SQLITE_CANTOPEN: 'Look at the permissions of the directory, and whether it is there.',
  SQLITE_IOERR: 'The disk fails: look at the system log before anything else is written to it.',
};

const diskHint = (system: string): string | undefined =>
  DISK_HINTS[system] ?? DISK_HINTS[/^SQLITE_[A-Z]+/.exec(system)?.[0] ?? ''];

/** Any thrown value as a document: our own errors as they are, those of the disk and of an abort recognised, the rest INTERNAL. */
export function toErrorDocument(error: unknown): ErrorDocument {
  if (error instanceof HoldfastError) return error.toDocument();
  const message = messageOf(error);
  const failure = diskFailure(error);
  if (failure === 'NO_SPACE') {
    return { code: 'NO_SPACE', message, hint: 'Free some space and try again.', retryable: true };
  }
  if ((error as { name?: string } | null)?.name === 'AbortError') {
    return { code: 'CANCELLED', message: 'Cancelled.', retryable: false };
  }
  if (failure === 'IO_ERROR') {
    const system = systemCode(error)!;
    const hint = diskHint(system);
    const details = { system };
    const base = { code: failure, message, retryable: false, details };
    return hint === undefined ? base : { ...base, hint };
  }
  return { code: 'INTERNAL', message, retryable: false };
}
