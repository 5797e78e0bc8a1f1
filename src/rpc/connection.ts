import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import { OUTPUT_BYTES_MAX, REQUEST_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import { isBlank, toJsonLine } from './json-line.ts';
import { LineDecoder } from './line-decoder.ts';
import type { PeerCredentials } from './peer-credentials.ts';
import { type RequestLine, readRequestLine } from './request-line.ts';
import type { RequestRunner } from './request-runner.ts';
import { limitExceeded, parseError, type RpcError, timedOutWaiting } from './rpc-errors.ts';

/**
 * Unread output beyond which no further request is begun, and notifications are refused: so a client that reads
 * slowly is made to wait, and only what it had in flight can still push it over OUTPUT_BYTES_MAX.
 */
const OUTPUT_HELD_BYTES_MAX = 256 * 1024;
/** How long a client that is being dropped may go on sending before it is cut off, so that it can read why. */
const FAREWELL_MS = 1_000;
/** From the connection to the end of its first line, and from the first byte of a line to its last. */
export const LINE_MS_MAX = 30_000;
/** While output waits, how long a client may read none of it. */
export const UNREAD_MS_MAX = 120_000;

/** The client of a connection, as handlers see it. */
export interface Peer {
  readonly id: number;
  /** Null where the system does not say. */
  readonly credentials: PeerCredentials | null;
  /** Aborted, with CANCELLED, when the client is gone or has said its last: what waits for it alone should stop. */
  readonly signal: AbortSignal;
  /** False when it was not sent, because the client reads too slowly or is gone. */
  notify(method: string, params: unknown): boolean;
  /** Called whenever unread output has gone down far enough that `notify` will send again. */
  onWritable(callback: () => void): void;
}

export interface ConnectionServices<Session> {
  readonly runner: RequestRunner<Session>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly credentials: PeerCredentials | null;
}

/** One client: its bytes in, its requests in flight, its answers out; each bounded. */
export class Connection<Session> implements Peer {
  readonly id: number;
  readonly credentials: PeerCredentials | null;
  readonly #socket: Socket;
  readonly #services: ConnectionServices<Session>;
  readonly #decoder = new LineDecoder(REQUEST_BYTES_MAX);
  readonly #abort = new AbortController();
  readonly #writableCallbacks: (() => void)[] = [];
  /** Read, but not begun: there was no room for its requests. */
  #next: RequestLine | null = null;
  #inFlight = 0;
  /** Runs while a line is due. */
  #lineTimer: Timer | null = null;
  /** Runs while output waits. */
  #unreadTimer: Timer | null = null;
  #hasSaidAll = false;
  #ending = false;

  constructor(id: number, socket: Socket, services: ConnectionServices<Session>) {
    this.id = id;
    this.credentials = services.credentials;
    this.#socket = socket;
    this.#services = services;
    // Each request in flight may listen.
    setMaxListeners(REQUESTS_IN_FLIGHT_MAX * 2, this.#abort.signal);
    // What went wrong with a socket is over with it: `close` follows.
    socket.on('error', (error) =>
      services.logger.debug({ connection: id, error: error.message }, 'socket error'),
    );
    socket.on('close', () => {
      this.#lineTimer?.cancel();
      this.#unreadTimer?.cancel();
      this.#abandon();
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Starts to read. */
  serve(session: Session): void {
    const socket = this.#socket;
    this.#expectLine();
    socket.on('data', (chunk: Buffer) => {
      this.#decoder.push(chunk);
      this.#advance(session);
    });
    // May come while lines still wait for room: pausing stops data, not the news of its end.
    socket.on('end', () => {
      this.#hasSaidAll = true;
      this.#abandon();
      this.#advance(session);
    });
    socket.on('drain', () => {
      this.#unreadTimer?.cancel();
      this.#unreadTimer = null;
      this.#advance(session);
      for (const callback of this.#writableCallbacks) callback();
    });
  }

  notify(method: string, params: unknown): boolean {
    if (this.#ending || this.#socket.destroyed) return false;
    if (this.#socket.writableLength > OUTPUT_HELD_BYTES_MAX) return false;
    this.#write(toJsonLine({ jsonrpc: '2.0', method, params }));
    return true;
  }

  onWritable(callback: () => void): void {
    this.#writableCallbacks.push(callback);
  }

  /** Begins no more requests, lets those in flight answer, then ends. */
  finish(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#lineTimer?.cancel();
    this.#abandon();
    this.#socket.pause();
    this.#endWhenIdle();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /**
   * Says why, then ends. What the client still sends is read and forgotten for a moment: cut off in the middle
   * of its writing, it would not get to read the reason.
   */
  refuse(error: RpcError): void {
    this.#ending = true;
    this.#lineTimer?.cancel();
    this.#abandon();
    const socket = this.#socket;
    const timer = this.#services.clock.after(FAREWELL_MS, () => socket.destroy(), { unref: true });
    socket.removeAllListeners('data');
    socket.removeAllListeners('end');
    socket.on('data', () => {});
    socket.on('close', () => timer.cancel());
    socket.end(toJsonLine({ jsonrpc: '2.0', id: null, error }));
    socket.resume();
  }

  /** What waits for this client alone need not any more. */
  #abandon(): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(
      cannot('CANCELLED', 'wait for', `client ${this.id}`, 'it has said its last, or is gone', {
        hint: 'Keep the connection open in both directions while an answer is awaited.',
      }),
    );
  }

  /** Whoever begins a line has to end it; whoever has begun none may be silent, once a first one came. */
  #expectLine(): void {
    // What a client that is gone left unfinished is due no more.
    if (this.#socket.destroyed) return;
    const { clock, logger } = this.#services;
    this.#lineTimer ??= clock.after(
      LINE_MS_MAX,
      () => {
        logger.warn({ connection: this.id }, 'request not finished in time: client dropped');
        this.refuse(timedOutWaiting(LINE_MS_MAX));
      },
      { unref: true },
    );
  }

  #stopExpecting(): void {
    this.#lineTimer?.cancel();
    this.#lineTimer = null;
  }

  #expectReading(): void {
    if (this.#unreadTimer !== null || this.#socket.destroyed) return;
    const { clock, logger } = this.#services;
    const before = this.#readBytes;
    const look = (): void => {
      this.#unreadTimer = null;
      if (this.#readBytes !== before) {
        if (this.#socket.writableLength > 0) this.#expectReading();
        return;
      }
      logger.warn({ connection: this.id }, 'client does not read: dropped');
      this.#socket.destroy();
    };
    this.#unreadTimer = clock.after(UNREAD_MS_MAX, look, { unref: true });
  }

  /** Output that the client, or the system for it, has taken. */
  get #readBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  /** Takes up as many lines as the bounds allow; reads on only when all that came was taken up. */
  #advance(session: Session): void {
    while (!this.#ending) {
      const line = this.#next ?? this.#nextLine();
      if (line === null) {
        if (this.#hasSaidAll) this.#finishInput();
        else this.#readOn();
        return;
      }
      if (line === 'overflow') {
        this.#services.logger.warn({ connection: this.id }, 'request too long: client dropped');
        const message = `Cannot read a request of more than ${REQUEST_BYTES_MAX} bytes`;
        this.refuse(limitExceeded(message, 'Send smaller requests.'));
        return;
      }
      this.#next = line;
      if (!this.#hasRoomFor(line)) {
        this.#socket.pause();
        return;
      }
      this.#next = null;
      void this.#run(line, session);
    }
  }

  #readOn(): void {
    if (this.#decoder.unfinishedBytes > 0) this.#expectLine();
    this.#socket.resume();
  }

  /** Everything that was sent is taken up. */
  #finishInput(): void {
    if (this.#decoder.unfinishedBytes > 0) {
      this.#write(toJsonLine({ jsonrpc: '2.0', id: null, error: parseError() }));
    }
    this.finish();
  }

  #nextLine(): RequestLine | null | 'overflow' {
    for (;;) {
      const line = this.#decoder.next();
      if (line === null || line === 'overflow') return line;
      this.#stopExpecting();
      if (!isBlank(line)) return readRequestLine(line);
    }
  }

  #hasRoomFor(line: RequestLine): boolean {
    return (
      this.#inFlight + line.items.length <= REQUESTS_IN_FLIGHT_MAX &&
      this.#socket.writableLength <= OUTPUT_HELD_BYTES_MAX
    );
  }

  async #run(line: RequestLine, session: Session): Promise<void> {
    this.#inFlight += line.items.length;
    const text = await this.#services.runner.run(line, session);
    this.#inFlight -= line.items.length;
    if (text !== null) this.#write(text);
    this.#advance(session);
    this.#endWhenIdle();
  }

  #write(text: string): void {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return;
    if (socket.writableLength + Buffer.byteLength(text) > OUTPUT_BYTES_MAX) {
      this.#services.logger.warn({ connection: this.id }, 'client does not read: dropped');
      socket.destroy();
      return;
    }
    if (!socket.write(text)) this.#expectReading();
  }

  #endWhenIdle(): void {
    if (!this.#ending || this.#inFlight > 0 || this.#socket.writableEnded) return;
    // The client may never close its side.
    this.#socket.end(() => this.#socket.destroy());
  }
}
