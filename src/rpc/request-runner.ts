import { type JSONRPCID, type JSONRPCResponse, JSONRPCServer } from 'json-rpc-2.0';
import { HoldfastError, messageOf } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { RequestItem, RequestLine } from './request-line.ts';
import { limitExceeded, methodNotFound, type RpcError, toRpcError } from './rpc-errors.ts';

/** An answer longer than this is replaced by LIMIT_EXCEEDED; lists are paged far below it. */
export const ANSWER_BYTES_MAX = 3 * 1024 * 1024;

export interface MethodTable<Session> {
  readonly names: readonly string[];
  /** Answers or throws; `params` is any JSON object or array. */
  call(method: string, params: unknown, session: Session): Promise<unknown>;
}

/** Runs the requests of a line through the JSON-RPC library; never rejects, never says what went wrong inside. */
export class RequestRunner<Session> {
  readonly #server: JSONRPCServer<Session>;
  readonly #logger: Logger;

  constructor(table: MethodTable<Session>, logger: Logger) {
    this.#logger = logger;
    // Errors are mapped and logged in #call; the library has none of its own to report.
    this.#server = new JSONRPCServer<Session>({ errorListener: () => {} });
    for (const name of table.names) {
      this.#server.addMethodAdvanced(name, async ({ id, params }, session) => {
        const answer = await this.#call(() => table.call(name, params, session), name);
        return id === undefined ? null : { jsonrpc: '2.0', id, ...answer };
      });
    }
  }

  /** The line to answer with, newline included; null where nothing is to be answered. */
  async run({ batch, items }: RequestLine, session: Session): Promise<string | null> {
    const answers = await Promise.all(items.map((item) => this.#runItem(item, session)));
    let leftBytes = ANSWER_BYTES_MAX;
    const texts: string[] = [];
    for (const answer of answers) {
      if (answer === null) continue;
      const text = this.#serialise(answer, leftBytes);
      leftBytes -= Buffer.byteLength(text);
      texts.push(text);
    }
    if (texts.length === 0) return null;
    return batch ? `[${texts.join(',')}]\n` : `${texts[0]}\n`;
  }

  async #runItem(item: RequestItem, session: Session): Promise<JSONRPCResponse | null> {
    if (item.type === 'refused') return failure(item.id, item.error);
    const { request } = item;
    if (!this.#server.hasMethod(request.method)) {
      return request.id === undefined ? null : failure(request.id, methodNotFound(request.method));
    }
    return this.#server.receive(request, session);
  }

  async #call(
    call: () => Promise<unknown>,
    method: string,
  ): Promise<{ result: unknown } | { error: RpcError }> {
    try {
      return { result: (await call()) ?? null };
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code === 'INTERNAL') {
        const stack = error instanceof Error ? error.stack : undefined;
        this.#logger.error({ method, error: messageOf(error), stack }, 'request failed');
      }
      return { error: toRpcError(error, method) };
    }
  }

  #serialise(answer: JSONRPCResponse, leftBytes: number): string {
    try {
      const text = JSON.stringify(answer);
      if (Buffer.byteLength(text) <= leftBytes) return text;
      const message = `Cannot send the answer: it is ${Buffer.byteLength(text)} bytes long`;
      return JSON.stringify(failure(answer.id, limitExceeded(message, 'Ask for less at a time.')));
    } catch (error) {
      this.#logger.error({ error: messageOf(error) }, 'an answer is not JSON');
      return JSON.stringify(failure(answer.id, toRpcError(error, 'an answer')));
    }
  }
}

function failure(id: JSONRPCID, error: RpcError): JSONRPCResponse {
  return { jsonrpc: '2.0', id, error };
}
