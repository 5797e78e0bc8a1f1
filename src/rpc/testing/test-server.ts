import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { cannot } from '../../kernel/errors.ts';
import { type Logger, silentLogger } from '../../kernel/logger.ts';
import type { Peer } from '../connection.ts';
import { RpcServer } from '../server.ts';

/** A server on a real socket with methods that do what tests need. */
export interface TestServer {
  readonly directory: string;
  readonly path: string;
  readonly server: RpcServer<Peer>;
  readonly peers: Peer[];
  /** Requests of `hold` that wait for `release`, or for the end of their client. */
  readonly held: (() => void)[];
  /** The most that ran at a time. */
  running: number;
  runningMax: number;
  /** Calls so far. */
  begun: number;
  stop(): Promise<void>;
}

export const HELLO = {
  protocol: 1,
  protocolMin: 1,
  version: '0.0.0',
  pid: process.pid,
  ready: true,
  host: { name: 'host', os: 'linux', arch: 'x64' },
  capabilities: [],
};

type Handler = (params: Record<string, unknown>, peer: Peer) => unknown;

export async function startTestServer(
  options: {
    path?: string;
    group?: string;
    logger?: Logger;
    clock?: Clock;
    handlers?: Record<string, Handler>;
  } = {},
): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), 'rpc-'));
  const path = options.path ?? join(directory, 'run', 'holdfast.sock');
  const peers: Peer[] = [];
  const held: (() => void)[] = [];
  const handlers: Record<string, Handler> = {
    'daemon.hello': () => HELLO,
    echo: (params) => params,
    nothing: () => undefined,
    bytes: ({ length }) => 'x'.repeat(Number(length)),
    circular: () => {
      const value: Record<string, unknown> = {};
      value['value'] = value;
      return value;
    },
    refuse: () => {
      throw cannot('NOT_FOUND', 'show snapshot', 'ab12', 'no snapshot has this id', {
        hint: 'List them.',
        details: { id: 'ab12' },
      });
    },
    fail: () => {
      throw new TypeError('the secret of /etc/shadow');
    },
    hold: (_, peer) =>
      new Promise<void>((resolve) => {
        const release = (): void => {
          peer.signal.removeEventListener('abort', release);
          resolve();
        };
        held.push(release);
        peer.signal.addEventListener('abort', release);
      }),
    ...options.handlers,
  };
  const server = new RpcServer<Peer>({
    socketPath: path,
    socketGroup: options.group ?? null,
    clock: options.clock ?? systemClock,
    logger: options.logger ?? silentLogger,
    names: Object.keys(handlers),
    openSession: (peer) => {
      peers.push(peer);
      return peer;
    },
    call: async (method, params, peer) => {
      test.begun += 1;
      test.running += 1;
      test.runningMax = Math.max(test.runningMax, test.running);
      try {
        return await handlers[method]!(params as Record<string, unknown>, peer);
      } finally {
        test.running -= 1;
      }
    },
  });
  const test: TestServer = {
    directory,
    path,
    server,
    peers,
    held,
    running: 0,
    runningMax: 0,
    begun: 0,
    async stop() {
      await server.stop(200);
      await rm(directory, { recursive: true, force: true });
    },
  };
  try {
    await server.start();
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  return test;
}

/** Resolves once `condition` holds, looked at between turns of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
