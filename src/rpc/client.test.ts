import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventNotification } from '../protocol/method-map.ts';
import { connect, type RpcClient } from './client.ts';
import { HELLO, startTestServer, type TestServer, until } from './testing/test-server.ts';

const identity = { name: 'test', version: '0' };
let test: TestServer;

beforeEach(async () => {
  test = await startTestServer({
    handlers: {
      'job.get': ({ id }) => ({ id }),
      'job.wait': () => new Promise(() => {}),
      'event.subscribe': () => ({ subscriptionId: 's1', seq: 41 }),
      'event.unsubscribe': () => ({ ended: true }),
      'snapshot.get': () => {
        throw Object.assign(new Error('never mind'), { code: 'ENOSPC' });
      },
    },
  });
});

afterEach(() => test.stop());

const open = async (timeoutMs = 5000): Promise<RpcClient> =>
  (await connect(test.path, { timeoutMs, client: identity })).client;

/** Serves one connection by hand. */
async function withImpostor(
  serve: (socket: Socket) => void,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'impostor-'));
  const path = join(directory, 'a.sock');
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    await use(path);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(directory, { recursive: true, force: true });
  }
}

describe('connect()', () => {
  it('greets and tells what the daemon said', async () => {
    const { client, hello } = await connect(test.path, { timeoutMs: 5000, client: identity });
    expect(hello).toEqual(HELLO);
    expect(client.closed).toBe(false);
    client.close();
    expect(client.closed).toBe(true);
  });

  it('says DAEMON_UNREACHABLE with a hint where no daemon is', async () => {
    await expect(
      connect(join(test.directory, 'none.sock'), { timeoutMs: 1000, client: identity }),
    ).rejects.toMatchObject({
      code: 'DAEMON_UNREACHABLE',
      retryable: true,
      hint: expect.stringContaining('Start the daemon'),
    });
  });

  it('refuses a path that Node would cut', async () => {
    await expect(
      connect(`/${'x'.repeat(200)}`, { timeoutMs: 1000, client: identity }),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('gives up on a daemon that does not answer, and on one that is none', async () => {
    await withImpostor(
      () => {},
      async (path) => {
        await expect(connect(path, { timeoutMs: 50, client: identity })).rejects.toMatchObject({
          code: 'TIMEOUT',
        });
      },
    );
    for (const nonsense of ['220 ready\r\n', '[]\n', Buffer.alloc(9 * 1024 * 1024, 'x')]) {
      await withImpostor(
        (socket) => socket.write(nonsense),
        async (path) => {
          await expect(connect(path, { timeoutMs: 5000, client: identity })).rejects.toMatchObject({
            code: 'PROTOCOL_MISMATCH',
          });
        },
      );
    }
  });
});

describe('RpcClient', () => {
  it('call() answers each call with its own result', async () => {
    const client = await open();
    const calls = Array.from({ length: 100 }, (_, index) =>
      client.call('job.get', { id: `j${index}` }),
    );
    const ids = (await Promise.all(calls)).map(({ id }) => id);
    expect(ids).toEqual(Array.from({ length: 100 }, (_, index) => `j${index}`));
    client.close();
  });

  it("call() throws the daemon's error with its code, hint and details", async () => {
    const client = await open();
    await expect(client.call('refuse' as 'daemon.ping', {})).rejects.toMatchObject({
      name: 'HoldfastError',
      code: 'NOT_FOUND',
      message: 'Cannot show snapshot "ab12": no snapshot has this id',
      hint: 'List them.',
      details: { id: 'ab12' },
    });
    await expect(client.call('snapshot.get', { id: 'latest' })).rejects.toMatchObject({
      code: 'NO_SPACE',
      retryable: true,
    });
    client.close();
  });

  it('M-51: call() gives up after its timeout or when aborted, and the connection goes on', async () => {
    const client = await open();
    await expect(client.call('job.wait', { id: 'x' }, { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'TIMEOUT',
      retryable: true,
    });
    const abort = new AbortController();
    const waiting = client.call('job.wait', { id: 'x' }, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(await client.call('job.get', { id: 'y' })).toEqual({ id: 'y' });
    client.close();
  });

  it('calls in flight fail with DAEMON_UNREACHABLE when the daemon goes, later ones too', async () => {
    const client = await open();
    const waiting = client.call('job.wait', { id: 'x' });
    const failed = expect(waiting).rejects.toMatchObject({ code: 'DAEMON_UNREACHABLE' });
    await until(() => test.running === 1);
    await test.server.stop(0);
    await failed;
    await expect(client.call('daemon.ping', {})).rejects.toMatchObject({
      code: 'DAEMON_UNREACHABLE',
    });
  });

  it('subscribe() misses no event, not even one in the same chunk as the answer', async () => {
    const hello = JSON.stringify({ jsonrpc: '2.0', id: 1, result: HELLO });
    const answer = JSON.stringify({
      jsonrpc: '2.0',
      id: 2,
      result: { subscriptionId: 's1', seq: 41 },
    });
    const event = (seq: number): string =>
      JSON.stringify({
        jsonrpc: '2.0',
        method: 'event',
        params: {
          subscriptionId: 's1',
          seq,
          type: 'daemon.changed',
          ready: true,
          bootPhase: 'ready',
        },
      });
    const answers = [`${hello}\n`, `${answer}\n${event(42)}\n${event(43)}\n`];
    await withImpostor(
      (socket) => socket.on('data', () => socket.write(answers.shift() ?? '\n')),
      async (path) => {
        const { client } = await connect(path, { timeoutMs: 5000, client: identity });
        const subscription = await client.subscribe();
        expect(subscription.startSeq).toBe(41);
        const seen: number[] = [];
        for await (const { seq } of subscription) {
          seen.push(seq);
          if (seq === 43) break;
        }
        expect(seen).toEqual([42, 43]);
        client.close();
      },
    );
  });

  it('subscribe() tells a consumer that falls behind of the gap, and answers calls meanwhile', async () => {
    const client = await open();
    const subscription = await client.subscribe();
    const peer = test.peers[0]!;
    let seq = 41;
    const send = (): boolean => {
      seq += 1;
      const params = { subscriptionId: 's1', seq, type: 'daemon.changed', ready: true };
      return peer.notify('event', params);
    };
    for (let index = 0; index < 1500; index += 1) {
      while (!send()) await client.call('job.get', { id: 'x' });
    }
    await client.call('job.get', { id: 'x' });
    const events: EventNotification[] = [];
    for await (const event of subscription) {
      events.push(event);
      if (event.type === 'gap') break;
    }
    expect(events).toHaveLength(1001);
    const gap = events.at(-1)!;
    expect(gap).toMatchObject({ type: 'gap', seq });
    expect(gap.type === 'gap' && gap.missed).toBeGreaterThan(0);
    client.close();
  });

  it('subscriptions end with close(), and throw when the connection is lost', async () => {
    const client = await open();
    const quiet = await client.subscribe();
    const waiting = quiet.next();
    client.close();
    expect(await waiting).toEqual({ done: true, value: undefined });
    const lost = await open();
    const next = (await lost.subscribe()).next();
    const failed = expect(next).rejects.toMatchObject({ code: 'DAEMON_UNREACHABLE' });
    await test.server.stop(0);
    await failed;
  });

  it('carries neither the schemas nor the JSON-RPC library into a bundle', async () => {
    const { metafile } = await build({
      entryPoints: [new URL('client.ts', import.meta.url).pathname],
      bundle: true,
      write: false,
      metafile: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'silent',
    });
    const inputs = Object.keys(metafile.inputs);
    expect(inputs.filter((input) => input.includes('node_modules'))).toEqual([]);
    expect(inputs.filter((input) => input.includes('protocol/')).sort()).toEqual([
      'src/protocol/error-numbers.ts',
      'src/protocol/protocol-version.ts',
    ]);
  });
});
