import { createConnection, type Socket } from 'node:net';
import { type Clock, systemClock, type Timer } from '../kernel/clock.ts';
import { type HoldfastError, messageOf } from '../kernel/errors.ts';
import type {
  EventNotification,
  MethodName,
  MethodParams,
  MethodResult,
} from '../protocol/method-map.ts';
import { PROTOCOL_VERSION } from '../protocol/protocol-version.ts';
import { connectionLost, timedOut, unreachable, unreadable } from './client-errors.ts';
import { isRecord, parseJsonLine, toJsonLine } from './json-line.ts';
import { LineDecoder } from './line-decoder.ts';
import { fromRpcError } from './rpc-errors.ts';
import { assertSocketPath } from './socket-path.ts';
import { Subscription } from './subscription.ts';

/** Answers are bounded by the daemon well below this; more is not a daemon of ours. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
const CALL_TIMEOUT_MS = 30_000;

export interface ConnectOptions {
  /** For connecting and the greeting together. */
  readonly timeoutMs: number;
  readonly client: { readonly name: string; readonly version: string };
  readonly clock?: Clock;
}

export interface CallOptions {
  /** 30 s unless said; the daemon goes on with what it does. @throws TIMEOUT */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

interface PendingCall {
  readonly method: string;
  succeed(result: unknown): void;
  fail(error: unknown): void;
}

/** The daemon's socket as typed calls. Carries neither schemas nor the JSON-RPC library: answers are trusted. */
export class RpcClient {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #path: string;
  readonly #pending = new Map<number, PendingCall>();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #decoder = new LineDecoder(ANSWER_BYTES_MAX);
  #lastId = 0;
  #closed: HoldfastError | null = null;

  constructor(socket: Socket, path: string, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.#path = path;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#end(unreachable(path, error)));
    socket.on('close', () => this.#end(connectionLost(path)));
  }

  get closed(): boolean {
    return this.#closed !== null;
  }

  /** @throws the daemon's error; TIMEOUT; DAEMON_UNREACHABLE when the connection ends; the signal's reason */
  call<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    options: CallOptions = {},
  ): Promise<MethodResult<M>> {
    return this.#request(method, params, options, (result) => result as MethodResult<M>);
  }

  /** Events from now on; see `event.subscribe`. */
  subscribe(
    params: MethodParams<'event.subscribe'> = {},
    options: CallOptions = {},
  ): Promise<Subscription> {
    // Registered while the answer is read, because events may follow it in the same chunk.
    return this.#request('event.subscribe', params, options, (result) => {
      const { subscriptionId, seq } = result as MethodResult<'event.subscribe'>;
      const subscription = new Subscription(subscriptionId, seq, () => {
        this.#subscriptions.delete(subscriptionId);
        // A connection that ends takes its subscriptions along, so a failure here leaves nothing behind.
        if (!this.closed) this.call('event.unsubscribe', { subscriptionId }).catch(() => {});
      });
      this.#subscriptions.set(subscriptionId, subscription);
      return subscription;
    });
  }

  /** Calls that wait fail; subscriptions end. */
  close(): void {
    const subscriptions = [...this.#subscriptions.values()];
    this.#subscriptions.clear();
    for (const subscription of subscriptions) subscription.end();
    this.#end(connectionLost(this.#path));
  }

  #request<Result>(
    method: string,
    params: object,
    { timeoutMs = CALL_TIMEOUT_MS, signal }: CallOptions,
    accept: (result: unknown) => Result,
  ): Promise<Result> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const id = ++this.#lastId;
    return new Promise<Result>((resolve, reject) => {
      const settle = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        this.#pending.delete(id);
      };
      const fail = (error: unknown): void => {
        settle();
        reject(error);
      };
      const onAbort = (): void => fail(signal?.reason);
      const timer = this.#clock.after(timeoutMs, () => fail(timedOut(method, timeoutMs)));
      signal?.addEventListener('abort', onAbort, { once: true });
      const succeed = (result: unknown): void => {
        settle();
        resolve(accept(result));
      };
      this.#pending.set(id, { method, succeed, fail });
      this.#socket.write(toJsonLine({ jsonrpc: '2.0', id, method, params }));
    });
  }

  #read(chunk: Buffer): void {
    this.#decoder.push(chunk);
    for (;;) {
      const line = this.#decoder.next();
      if (line === null || this.#closed !== null) return;
      if (line === 'overflow') {
        this.#end(unreadable(this.#path, 'an answer is too long'));
        return;
      }
      try {
        this.#receive(parseJsonLine(line));
      } catch (error) {
        this.#end(unreadable(this.#path, messageOf(error)));
      }
    }
  }

  #receive(message: unknown): void {
    if (!isRecord(message)) throw new TypeError('an answer is not an object');
    const { id, method, result, error } = message;
    if (typeof id === 'number') {
      const pending = this.#pending.get(id);
      // An answer that nobody waits for any more came after its timeout.
      if (error !== undefined) pending?.fail(fromRpcError(error));
      else pending?.succeed(result);
    } else if (method === 'event' && isRecord(message['params'])) {
      const event = message['params'] as unknown as EventNotification;
      this.#subscriptions.get(event.subscriptionId)?.push(event);
    } else if (error !== undefined) {
      // Without an id it concerns the connection: the daemon refused it, or could not read a request.
      this.#end(fromRpcError(error));
    }
  }

  #end(reason: HoldfastError): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    this.#socket.destroy();
    for (const pending of [...this.#pending.values()]) pending.fail(reason);
    for (const subscription of this.#subscriptions.values()) subscription.end(reason);
    this.#subscriptions.clear();
  }
}

/**
 * Connects and greets; `hello` is the daemon's answer.
 * @throws DAEMON_UNREACHABLE, PROTOCOL_MISMATCH, TIMEOUT, CONFIG_INVALID
 */
export async function connect(
  socketPath: string,
  { timeoutMs, client: identity, clock = systemClock }: ConnectOptions,
): Promise<{ client: RpcClient; hello: MethodResult<'daemon.hello'> }> {
  assertSocketPath(socketPath);
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  const socket = await openSocket(socketPath, timeoutMs, clock);
  const client = new RpcClient(socket, socketPath, clock);
  try {
    const hello = await client.call(
      'daemon.hello',
      { protocol: PROTOCOL_VERSION, client: identity },
      { timeoutMs: Math.max(deadlineMs - clock.monotonicMs(), 1) },
    );
    return { client, hello };
  } catch (error) {
    client.close();
    throw error;
  }
}

function openSocket(path: string, timeoutMs: number, clock: Clock): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const timer: Timer = clock.after(timeoutMs, () => {
      socket.destroy();
      reject(timedOut('connect', timeoutMs));
    });
    socket.once('error', (error) => {
      timer.cancel();
      reject(unreachable(path, error));
    });
    socket.once('connect', () => {
      timer.cancel();
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
