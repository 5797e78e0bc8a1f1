import { currentUid } from '../config/default-paths.ts';
import { findSocket } from '../config/find-socket.ts';
import type { Clock } from '../kernel/clock.ts';
import { cannot, HoldfastError, systemCode } from '../kernel/errors.ts';
import { connect, type RpcClient } from '../rpc/client.ts';
import type { GlobalOptions } from './global-options.ts';

export type DaemonConnection = Pick<RpcClient, 'call' | 'subscribe' | 'close'>;

/** For connecting and the greeting: a daemon that is there answers at once, even while it boots. */
const CONNECT_TIMEOUT_MS = 5_000;

export interface ConnectRequest {
  readonly options: GlobalOptions;
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly version: string;
}

/** @throws DAEMON_UNREACHABLE, PROTOCOL_MISMATCH, TIMEOUT */
export async function connectDaemon(request: ConnectRequest): Promise<DaemonConnection> {
  const { options, environment, clock, version } = request;
  const socketPath = await socketOf(options, environment);
  const { client } = await connect(socketPath, {
    timeoutMs: CONNECT_TIMEOUT_MS,
    client: { name: 'holdfast-cli', version },
    clock,
  });
  return client;
}

/** The socket of the daemon that these options mean; a configuration file is only read when one was named. */
export async function socketOf(
  options: GlobalOptions,
  environment: NodeJS.ProcessEnv,
): Promise<string> {
  const namesFile = options.config !== undefined || (environment['HOLDFAST_CONFIG'] ?? '') !== '';
  const namesSocket = options.socket !== undefined || (environment['HOLDFAST_SOCKET'] ?? '') !== '';
  if (!namesFile || namesSocket) return findSocket(options, environment);
  const { loadSettings } = await import('../config/load-settings.ts');
  return (await loadSettings(options, environment)).socketPath;
}

/** Nobody listens: no socket, or one left behind by a daemon that is gone. Being refused entry is not that. */
export function isDaemonDown(error: unknown): boolean {
  return (
    error instanceof HoldfastError &&
    error.code === 'DAEMON_UNREACHABLE' &&
    ['ENOENT', 'ECONNREFUSED', 'ENOTDIR', 'ENOTSOCK'].includes(systemCode(error) ?? '')
  );
}

/** @throws DAEMON_UNREACHABLE when this user could not do the daemon's work in its place */
export function refuseForeignState(stateDirectory: string, ownerUid: number): void {
  const uid = currentUid();
  if (uid === ownerUid || uid === 0) return;
  throw cannot(
    'DAEMON_UNREACHABLE',
    'work without the daemon in',
    stateDirectory,
    'it belongs to another user',
    {
      hint: `Run this as the user with id ${ownerUid}, or start the daemon.`,
    },
  );
}
