import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { RpcErrorCode } from '../../protocol/error-numbers.ts';
import type { JobDocument, MethodName } from '../../protocol/method-map.ts';

/** Answers one call; `send` writes a notification on the same connection. */
export type Answer = (params: Record<string, unknown>, send: (event: object) => void) => unknown;

export class ScriptedError extends Error {
  readonly code: RpcErrorCode;

  constructor(code: RpcErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface ScriptedDaemon {
  readonly socketPath: string;
  /** Every call but the greeting, in order. */
  readonly calls: { method: string; params: Record<string, unknown> }[];
  stop(): Promise<void>;
}

const GREETING = {
  protocol: 1,
  protocolMin: 1,
  version: '0.0.0',
  pid: process.pid,
  ready: true,
  host: { name: 'host', os: 'linux', arch: 'x64' },
  capabilities: [],
};

/** A daemon's end of a real socket, which says what the test tells it to say. */
export async function startScriptedDaemon(
  script: Partial<Record<MethodName, Answer>>,
): Promise<ScriptedDaemon> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-cli-'));
  const socketPath = join(directory, 'holdfast.sock');
  const calls: ScriptedDaemon['calls'] = [];
  const sockets = new Set<Socket>();
  const respond = async (socket: Socket, line: string): Promise<void> => {
    const { id, method, params } = JSON.parse(line);
    const write = (message: object): void =>
      void (socket.writable && socket.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`));
    if (method === 'daemon.hello') return write({ id, result: GREETING });
    calls.push({ method, params });
    const send = (event: object): void => write({ method: 'event', params: event });
    try {
      const answer = script[method as MethodName];
      if (answer === undefined) throw new ScriptedError('INTERNAL', `no script for ${method}`);
      write({ id, result: await answer(params, send) });
    } catch (error) {
      const code = error instanceof ScriptedError ? error.code : 'INTERNAL';
      const data = { code, retryable: false, hint: null };
      write({ id, error: { code: -32000, message: (error as Error).message, data } });
    }
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    createInterface({ input: socket })
      .on('line', (line) => void respond(socket, line))
      // A client that left: the socket's own listener deals with it.
      .on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    socketPath,
    calls,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A job as the daemon would show it. */
export function scriptedJob(fields: Partial<JobDocument>): JobDocument {
  return {
    id: 'job-1',
    kind: 'backup',
    status: 'running',
    sourceId: 'app',
    params: {},
    actor: 'user',
    priority: 0,
    mutating: true,
    createdAt: '2026-01-02T03:04:05.000Z',
    startedAt: '2026-01-02T03:04:05.000Z',
    finishedAt: null,
    deadlineMs: null,
    progress: null,
    warnings: 0,
    exitCode: null,
    result: null,
    error: null,
    workerPid: null,
    scheduleId: null,
    scheduledAt: null,
    attempt: 1,
    ...fields,
  };
}

/** What most scripts need to have a job followed to its end. */
export function followScript(end: Partial<JobDocument>): Partial<Record<MethodName, Answer>> {
  const job = scriptedJob(end);
  return {
    'event.subscribe': () => ({ subscriptionId: 's1', seq: 0 }),
    'event.unsubscribe': () => ({ ended: true }),
    'job.wait': () => ({ finished: true, job }),
  };
}
