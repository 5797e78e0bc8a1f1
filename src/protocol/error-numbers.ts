/**
 * The numbers of `error.code` on the wire. People and programs go by the stable string in `error.data.code`;
 * the number only has to be the same for ever, so each is written out, and none is used twice.
 */

/** JSON-RPC 2.0 §5.1. */
export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;

/** One number for each stable string. JSON-RPC's own where it has one, else −32000 and below. */
export const RPC_ERROR_NUMBERS = {
  INVALID_PARAMS: -32602,
  INTERNAL: -32603,
  ALREADY_PENDING: -32000,
  AMBIGUOUS_ID: -32001,
  BUSY: -32002,
  CANCELLED: -32003,
  CAPABILITY_REQUIRED: -32004,
  CONFIG_INVALID: -32005,
  CONFIRMATION_REQUIRED: -32006,
  DAEMON_UNREACHABLE: -32007,
  ENCRYPTED: -32008,
  INSTANCE_LOCKED: -32009,
  INTERRUPTED: -32010,
  INVALID_CRON: -32011,
  IN_USE: -32012,
  IO_ERROR: -32013,
  JOB_FINISHED: -32014,
  LIMIT_EXCEEDED: -32015,
  NOT_A_DIRECTORY: -32016,
  NOT_CANCELLABLE: -32017,
  NOT_FOUND: -32018,
  NOT_READY: -32019,
  NO_BACKUP: -32020,
  NO_SPACE: -32021,
  PATH_NOT_FOUND: -32022,
  PATH_UNSAFE: -32023,
  PROTOCOL_MISMATCH: -32024,
  QUEUE_FULL: -32025,
  RECOVERY_FAILED: -32026,
  REPO_CORRUPT: -32027,
  REPO_LOCKED: -32028,
  REPO_UNINITIALISED: -32029,
  SOURCE_CORRUPT: -32030,
  SOURCE_MISSING: -32031,
  TARGET_BUSY: -32032,
  TARGET_NOT_EMPTY: -32033,
  TIMEOUT: -32034,
  UNSUPPORTED_FORMAT: -32035,
  VERIFY_FAILED: -32036,
  WORKER_CRASHED: -32037,
  EMPTY_POLICY: -32038,
  SETTING_FIXED: -32039,
  VERSION_CONFLICT: -32040,
  PLAN_CHANGED: -32041,
  HOOK_FAILED: -32042,
  NOT_FRESH: -32043,
  SCHEMA_TOO_NEW: -32044,
  SANITY_FAILED: -32045,
  MIGRATION_FAILED: -32046,
  KEY_REQUIRED: -32047,
  KEY_WRONG: -32048,
} as const;

/** The stable strings that may stand in `error.data.code`. */
export type RpcErrorCode = keyof typeof RPC_ERROR_NUMBERS;

/** What every error of the socket carries in `data`. */
export interface RpcErrorData {
  readonly code: RpcErrorCode;
  /** True where the same request may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  readonly hint: string | null;
  readonly details?: Record<string, unknown>;
}
