import type { MethodName } from '../../src/protocol/method-map.ts';
import { isMethodName, methods, needsHello } from '../../src/protocol/methods.ts';

/** What JSON-RPC and this contract say must be answered to a line: judged here from its bytes alone. */

export interface ExpectedAnswer {
  readonly id: unknown;
  /** The code of its error; null: it is carried out, and may succeed or fail with any documented error. */
  readonly code: number | null;
}

export interface Verdict {
  readonly batch: boolean;
  readonly answers: readonly ExpectedAnswer[];
  /** Methods that are carried out, notifications too. */
  readonly executed: readonly MethodName[];
}

const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;
const LIMIT_EXCEEDED = -32015;
const PROTOCOL_MISMATCH = -32024;

const ID_CHARACTERS_MAX = 256;
const PARAMS_LEVELS_MAX = 64;

const utf8 = new TextDecoder('utf-8', { fatal: true });
const NOTHING: Verdict = { batch: false, answers: [], executed: [] };

const refusedLine = (code: number): Verdict => ({
  ...NOTHING,
  answers: [{ id: null, code }],
});

/** `line` is without its newline. */
export function expectedOf(line: Buffer, greeted: boolean): Verdict {
  if (/^[ \t\r]*$/.test(line.toString('latin1'))) return NOTHING;
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(line));
  } catch {
    return refusedLine(PARSE_ERROR);
  }
  if (!Array.isArray(value)) return expectedOfItem(value, greeted);
  if (value.length === 0) return refusedLine(INVALID_REQUEST);
  if (value.length > 32) return refusedLine(LIMIT_EXCEEDED);
  const items = value.map((item) => expectedOfItem(item, greeted));
  return {
    batch: true,
    answers: items.flatMap(({ answers }) => answers),
    executed: items.flatMap(({ executed }) => executed),
  };
}

function expectedOfItem(value: unknown, greeted: boolean): Verdict {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refusedLine(INVALID_REQUEST);
  }
  // What the prototype gives is no member of the request.
  const own = new Map<string, unknown>(Object.entries(value));
  const id = own.get('id');
  const hasId = own.has('id');
  const told = isId(id) ? id : null;
  const refused = (code: number): Verdict => ({ ...NOTHING, answers: [{ id: told, code }] });
  if (!isRequest(own) || (hasId && !isId(id))) return refused(INVALID_REQUEST);
  const method = own.get('method') as string;
  const code = codeOf(method, own.get('params') ?? {}, greeted);
  return {
    batch: false,
    answers: hasId ? [{ id, code }] : [],
    executed: code === null ? [method as MethodName] : [],
  };
}

function isRequest(request: ReadonlyMap<string, unknown>): boolean {
  const method = request.get('method');
  const params = request.get('params');
  return (
    request.get('jsonrpc') === '2.0' &&
    typeof method === 'string' &&
    method !== '' &&
    method.length <= 200 &&
    (!request.has('params') || (typeof params === 'object' && params !== null)) &&
    !isDeeperThan(params, PARAMS_LEVELS_MAX)
  );
}

function codeOf(method: string, params: unknown, greeted: boolean): number | null {
  if (!isMethodName(method)) return METHOD_NOT_FOUND;
  if (!greeted && needsHello(method)) return PROTOCOL_MISMATCH;
  try {
    return methods[method].params.safeParse(params).success ? null : INVALID_PARAMS;
  } catch {
    // The library compares a `length` that is no number.
    return INVALID_PARAMS;
  }
}

function isId(id: unknown): boolean {
  if (typeof id === 'string') return id.length <= ID_CHARACTERS_MAX;
  return id === null || (typeof id === 'number' && Number.isFinite(id));
}

/** `[]` has one level. */
function isDeeperThan(value: unknown, levels: number): boolean {
  let level = [value];
  for (let depth = 0; depth < levels; depth += 1) {
    level = level.filter(isContainer).flatMap((each) => Object.values(each));
  }
  return level.some(isContainer);
}

const isContainer = (value: unknown): value is object =>
  typeof value === 'object' && value !== null;
