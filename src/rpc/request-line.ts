import type { JSONRPCID, JSONRPCRequest } from 'json-rpc-2.0';
import {
  BATCH_REQUESTS_MAX,
  PARAMS_LEVELS_MAX,
  REQUEST_ID_CHARACTERS_MAX,
} from '../kernel/limits.ts';
import { isRecord, parseJsonLine } from './json-line.ts';
import { invalidRequest, limitExceeded, parseError, type RpcError } from './rpc-errors.ts';

/**
 * What a line asks for, judged before the JSON-RPC library sees it: the library rejects on `[null]`, takes objects
 * as ids, runs batches of any length, and answers a batch of one with a bare object.
 */

export interface Refusal {
  readonly id: JSONRPCID;
  readonly error: RpcError;
}

export type RequestItem =
  | { readonly type: 'request'; readonly request: JSONRPCRequest }
  | ({ readonly type: 'refused' } & Refusal);

export interface RequestLine {
  readonly batch: boolean;
  readonly items: readonly RequestItem[];
}

const METHOD_CHARACTERS_MAX = 200;

export function readRequestLine(line: Uint8Array): RequestLine {
  let value: unknown;
  try {
    value = parseJsonLine(line);
  } catch {
    return refusedLine(parseError());
  }
  if (!Array.isArray(value)) return { batch: false, items: [readItem(value)] };
  if (value.length === 0) return refusedLine(invalidRequest('the batch is empty'));
  if (value.length > BATCH_REQUESTS_MAX) {
    const message = `Cannot answer a batch of ${value.length} requests: the limit is ${BATCH_REQUESTS_MAX}`;
    return refusedLine(limitExceeded(message, 'Send smaller batches.'));
  }
  return { batch: true, items: value.map(readItem) };
}

/** Refusals of a whole line are one answer, not a batch of them. */
function refusedLine(error: RpcError): RequestLine {
  return { batch: false, items: [{ type: 'refused', id: null, error }] };
}

function readItem(value: unknown): RequestItem {
  const refuse = (reason: string): RequestItem => ({
    type: 'refused',
    id: isRecord(value) && isId(value['id']) ? value['id'] : null,
    error: invalidRequest(reason),
  });
  if (!isRecord(value)) return refuse('it is not an object');
  const { jsonrpc, method, id, params } = value;
  if (jsonrpc !== '2.0') return refuse('`jsonrpc` is not "2.0"');
  if (typeof method !== 'string' || method === '' || method.length > METHOD_CHARACTERS_MAX) {
    return refuse('`method` is not the name of a method');
  }
  if (id !== undefined && !isId(id)) {
    return refuse(
      `\`id\` is neither a number nor a string of at most ${REQUEST_ID_CHARACTERS_MAX} characters`,
    );
  }
  if (params !== undefined && (typeof params !== 'object' || params === null)) {
    return refuse('`params` is neither an object nor an array');
  }
  if (nestsDeeperThan(params, PARAMS_LEVELS_MAX)) {
    return refuse(`\`params\` has more than ${PARAMS_LEVELS_MAX} levels`);
  }
  const request: JSONRPCRequest = { jsonrpc: '2.0', method, params: params ?? {} };
  return { type: 'request', request: id === undefined ? request : { ...request, id } };
}

function isId(id: unknown): id is JSONRPCID {
  if (typeof id === 'string') return id.length <= REQUEST_ID_CHARACTERS_MAX;
  return id === null || (typeof id === 'number' && Number.isFinite(id));
}

/** Its own recursion is bounded by `levels`. */
function nestsDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((each) => nestsDeeperThan(each, levels - 1));
}
