import type { ErrorCode } from '../kernel/errors.ts';

/** What the command line says with its exit status; scripts go by it. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  warnings: 3,
  unreachable: 4,
  notFound: 10,
  busy: 11,
  verificationFailed: 12,
  cancelled: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const EXIT_OF_ERROR: Readonly<Record<ErrorCode, ExitCode>> = {
  ALREADY_PENDING: EXIT.busy,
  AMBIGUOUS_ID: EXIT.usage,
  BUSY: EXIT.busy,
  CANCELLED: EXIT.cancelled,
  CAPABILITY_REQUIRED: EXIT.failed,
  CONFIG_INVALID: EXIT.usage,
  CONFIRMATION_REQUIRED: EXIT.usage,
  DAEMON_UNREACHABLE: EXIT.unreachable,
  ENCRYPTED: EXIT.failed,
  INSTANCE_LOCKED: EXIT.busy,
  INTERNAL: EXIT.failed,
  INTERRUPTED: EXIT.failed,
  INVALID_CRON: EXIT.usage,
  INVALID_PARAMS: EXIT.usage,
  IN_USE: EXIT.busy,
  IO_ERROR: EXIT.failed,
  JOB_FINISHED: EXIT.failed,
  LIMIT_EXCEEDED: EXIT.failed,
  NOT_A_DIRECTORY: EXIT.usage,
  NOT_CANCELLABLE: EXIT.busy,
  NOT_FOUND: EXIT.notFound,
  NOT_READY: EXIT.busy,
  NO_BACKUP: EXIT.notFound,
  NO_SPACE: EXIT.failed,
  PATH_NOT_FOUND: EXIT.notFound,
  PATH_UNSAFE: EXIT.usage,
  PROTOCOL_MISMATCH: EXIT.failed,
  QUEUE_FULL: EXIT.busy,
  RECOVERY_FAILED: EXIT.failed,
  REPO_CORRUPT: EXIT.verificationFailed,
  REPO_LOCKED: EXIT.busy,
  REPO_UNINITIALISED: EXIT.notFound,
  SOURCE_CORRUPT: EXIT.verificationFailed,
  SOURCE_MISSING: EXIT.notFound,
  TARGET_BUSY: EXIT.busy,
  TARGET_NOT_EMPTY: EXIT.usage,
  TIMEOUT: EXIT.failed,
  UNSUPPORTED_FORMAT: EXIT.failed,
  VERIFY_FAILED: EXIT.verificationFailed,
  WORKER_CRASHED: EXIT.failed,
};

export const exitCodeOfError = (code: ErrorCode): ExitCode => EXIT_OF_ERROR[code] ?? EXIT.failed;
