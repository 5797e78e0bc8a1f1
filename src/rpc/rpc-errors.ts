import {
  type ErrorCode,
  type ErrorDocument,
  HoldfastError,
  toErrorDocument,
} from '../kernel/errors.ts';
import {
  INVALID_REQUEST,
  METHOD_NOT_FOUND,
  PARSE_ERROR,
  RPC_ERROR_NUMBERS,
  type RpcErrorData,
} from '../protocol/error-numbers.ts';
import { isRecord } from './json-line.ts';

/** Between our errors and the error objects of JSON-RPC, both ways. */

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data: RpcErrorData;
}

function rpcError(code: number, { message, ...rest }: ErrorDocument): RpcError {
  const data = {
    code: rest.code,
    retryable: rest.retryable,
    hint: rest.hint ?? null,
    ...(rest.details === undefined ? {} : { details: rest.details }),
  };
  return { code, message, data };
}

/**
 * Any thrown value as an error object. What is not an error of ours says nothing of the inside: the message
 * names the method, the log has the rest.
 */
export function toRpcError(error: unknown, method: string): RpcError {
  const document = toErrorDocument(error);
  if (document.code === 'INTERNAL' && !(error instanceof HoldfastError)) {
    return rpcError(RPC_ERROR_NUMBERS.INTERNAL, {
      code: 'INTERNAL',
      message: `Cannot answer "${method}": an internal error`,
      hint: "The daemon's log has the details.",
      retryable: false,
    });
  }
  return rpcError(RPC_ERROR_NUMBERS[document.code], document);
}

export function parseError(): RpcError {
  return rpcError(PARSE_ERROR, {
    code: 'INVALID_PARAMS',
    message: 'Cannot read the request: the line is not JSON in UTF-8',
    hint: 'Send one JSON-RPC 2.0 document per line, with a newline at its end.',
    retryable: false,
  });
}

export function invalidRequest(reason: string): RpcError {
  return rpcError(INVALID_REQUEST, {
    code: 'INVALID_PARAMS',
    message: `Cannot read the request: ${reason}`,
    hint: 'See https://www.jsonrpc.org/specification.',
    retryable: false,
  });
}

export function methodNotFound(method: string): RpcError {
  return rpcError(METHOD_NOT_FOUND, {
    code: 'NOT_FOUND',
    message: `Cannot call "${method.slice(0, 100)}": there is no such method`,
    hint: 'rpc.discover lists the methods of this daemon.',
    retryable: false,
  });
}

export function limitExceeded(message: string, hint: string): RpcError {
  return rpcError(RPC_ERROR_NUMBERS.LIMIT_EXCEEDED, {
    code: 'LIMIT_EXCEEDED',
    message,
    hint,
    retryable: false,
  });
}

export function timedOutWaiting(timeoutMs: number): RpcError {
  return rpcError(RPC_ERROR_NUMBERS.TIMEOUT, {
    code: 'TIMEOUT',
    message: `Cannot wait for the end of a request: it did not come within ${timeoutMs} ms`,
    hint: 'Send each request whole, with a newline at its end.',
    retryable: true,
  });
}

/** The error of an answer as it was thrown in the daemon; INTERNAL for what no daemon of ours says. */
export function fromRpcError(error: unknown): HoldfastError {
  const { message, data } = isRecord(error) ? error : {};
  const text =
    typeof message === 'string' ? message : 'The daemon answered with an unreadable error';
  if (!isRecord(data) || !isErrorCode(data['code'])) return new HoldfastError('INTERNAL', text);
  return new HoldfastError(data['code'], text, {
    retryable: data['retryable'] === true,
    ...(typeof data['hint'] === 'string' ? { hint: data['hint'] } : {}),
    ...(isRecord(data['details']) ? { details: data['details'] } : {}),
  });
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(RPC_ERROR_NUMBERS, code);
}
