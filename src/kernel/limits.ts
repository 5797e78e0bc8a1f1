/** Bounds that more than one folder must agree on. Bounds of a single folder live there. */

export const CHUNK_BYTES = 64 * 1024;
/** A request line on the socket, newline included. */
export const REQUEST_BYTES_MAX = 1024 * 1024;
export const BATCH_REQUESTS_MAX = 32;
export const REQUESTS_IN_FLIGHT_MAX = 64;
/** The id of a request comes back in its answer. */
export const REQUEST_ID_CHARACTERS_MAX = 256;
/** Objects and arrays within each other in the params of a request: deeper ones would exhaust the stack of whoever walks them. */
export const PARAMS_LEVELS_MAX = 64;
/** Unread output after which a client is dropped. */
export const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
/** Unix socket paths: 103 bytes fit on every platform; Node 20 truncates longer ones silently. */
export const SOCKET_PATH_BYTES_MAX = 103;
/** One line of a job's log; longer ones are split. */
export const LOG_LINE_BYTES_MAX = 64 * 1024;
export const LOG_LINES_PER_JOB_MAX = 50_000;
/** Grace between asking a worker to stop and killing it. */
export const CANCEL_GRACE_MS = 5_000;
export const LOGICAL_PATH_BYTES_MAX = 4096;
export const PATH_COMPONENT_BYTES_MAX = 255;
