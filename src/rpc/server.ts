import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../kernel/clock.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Service } from '../kernel/service.ts';
import { Connection, type Peer } from './connection.ts';
import { loadPeerCredentials, type ReadPeerCredentials } from './peer-credentials.ts';
import { type MethodTable, RequestRunner } from './request-runner.ts';
import { limitExceeded } from './rpc-errors.ts';
import { bindSocket, type SocketFile } from './socket-file.ts';

export const CONNECTIONS_MAX = 64;

export interface RpcServerOptions<Session> extends MethodTable<Session> {
  readonly socketPath: string;
  /** Group name or number that may use the socket (0660); null: the owner alone (0600). */
  readonly socketGroup: string | null;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What handlers keep about one client; made when it connects. It ends when `peer.signal` is aborted. */
  openSession(peer: Peer): Session;
}

/** The Unix socket: NDJSON JSON-RPC 2.0 with the bounds of kernel/limits.ts. The caller holds the instance lock. */
export class RpcServer<Session> implements Service {
  readonly name = 'rpc';
  readonly #options: RpcServerOptions<Session>;
  readonly #runner: RequestRunner<Session>;
  readonly #connections = new Set<Connection<Session>>();
  readonly #server: Server;
  #file: SocketFile | null = null;
  #credentialsOf: ReadPeerCredentials = () => null;
  #lastConnectionId = 0;

  constructor(options: RpcServerOptions<Session>) {
    this.#options = options;
    this.#runner = new RequestRunner(options, options.logger);
    // Half-open, so that a client that has said all it wanted to say still gets its answers.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    // The ones beyond CONNECTIONS_MAX are told so; in a flood even that stops.
    this.#server.maxConnections = 2 * CONNECTIONS_MAX;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** @throws CONFIG_INVALID, IN_USE, IO_ERROR */
  async start(): Promise<void> {
    const { socketPath, socketGroup, clock, logger } = this.#options;
    this.#credentialsOf = await loadPeerCredentials();
    this.#file = await bindSocket(this.#server, socketPath, socketGroup, clock);
    // Accepting can fail for want of descriptors; the next attempt may succeed.
    this.#server.on('error', (error) => logger.error({ error: error.message }, 'socket server'));
    logger.info({ socketPath }, 'listening');
  }

  /** Removes the socket, lets requests in flight answer, cuts off after `deadlineMs`. */
  async stop(deadlineMs: number): Promise<void> {
    const file = this.#file;
    if (file === null) return;
    this.#file = null;
    await file.remove();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.finish();
    const timer = this.#options.clock.after(deadlineMs, () => {
      for (const connection of this.#connections) connection.destroy();
    });
    await closed;
    timer.cancel();
  }

  #accept(socket: Socket): void {
    const { clock, logger } = this.#options;
    const credentials = this.#credentialsOf(socket);
    const services = { runner: this.#runner, clock, logger, credentials };
    const connection = new Connection<Session>(++this.#lastConnectionId, socket, services);
    this.#connections.add(connection);
    socket.on('close', () => this.#connections.delete(connection));
    if (this.#connections.size > CONNECTIONS_MAX) {
      const message = `Cannot serve more than ${CONNECTIONS_MAX} clients at a time`;
      connection.refuse(limitExceeded(message, 'Try again when another client has ended.'));
      return;
    }
    connection.serve(this.#options.openSession(connection));
  }
}
