import { once } from 'node:events';
import { expect, it } from 'vitest';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { LINE_MS_MAX, UNREAD_MS_MAX } from './connection.ts';
import { RawClient } from './testing/raw-client.ts';
import { startTestServer, until } from './testing/test-server.ts';

/** The system's clock, but what is due after `heldMs` comes when it is asked for. */
function clockThatHolds(heldMs: number): { clock: Clock; due: Set<() => void>; fire(): void } {
  const due = new Set<() => void>();
  const clock: Clock = {
    ...systemClock,
    after(delayMs, callback, options) {
      if (delayMs !== heldMs) return systemClock.after(delayMs, callback, options);
      due.add(callback);
      return { cancel: () => void due.delete(callback) };
    },
  };
  const fire = (): void => {
    for (const callback of [...due]) {
      due.delete(callback);
      callback();
    }
  };
  return { clock, due, fire };
}

it('F57: who connects and says nothing is told TIMEOUT, and its place is free', async () => {
  const { clock, due, fire } = clockThatHolds(LINE_MS_MAX);
  const test = await startTestServer({ clock });
  const client = await RawClient.open(test.path);
  await until(() => due.size === 1);
  fire();
  expect(await client.read()).toMatchObject({
    id: null,
    error: { code: -32034, data: { code: 'TIMEOUT', retryable: true } },
  });
  await client.ended;
  await until(() => test.server.connectionCount === 0);
  await test.stop();
});

it('F57: a request that comes byte by byte has to end; who is silent between two may be so for ever', async () => {
  const { clock, due, fire } = clockThatHolds(LINE_MS_MAX);
  const test = await startTestServer({ clock });
  const client = await RawClient.open(test.path);
  await client.ask('echo');
  await until(() => due.size === 0);
  client.send('{"jsonrpc"');
  await until(() => due.size === 1);
  client.send(':"2.0","id":2,"method":"echo"}\n\r\n');
  expect(await client.read()).toMatchObject({ id: 2 });
  await until(() => due.size === 0);
  client.send('{');
  await until(() => due.size === 1);
  client.send('"');
  expect((await client.ask('echo', {}, 3)).error).toMatchObject({ code: -32700 });
  client.send('{');
  await until(() => due.size === 1);
  fire();
  expect(await client.read()).toMatchObject({ error: { data: { code: 'TIMEOUT' } } });
  expect(await client.read()).toBeNull();
  await test.stop();
});

it('F57: who reads none of what waits is dropped; who reads some of it, however slowly, is not', async () => {
  const { clock, due, fire } = clockThatHolds(UNREAD_MS_MAX);
  const test = await startTestServer({ clock });
  const client = await RawClient.open(test.path);
  client.socket.pause();
  for (let id = 1; id <= 200; id += 1) client.request('bytes', { length: 50_000 }, id);
  await until(() => due.size === 1);
  client.socket.resume();
  for (let id = 1; id <= 100; id += 1) await client.read();
  fire();
  for (let id = 101; id <= 200; id += 1) expect((await client.read()).id).toBe(id);
  client.socket.pause();
  for (let id = 1; id <= 200; id += 1) client.request('bytes', { length: 50_000 }, id);
  await until(() => due.size === 1);
  const begun = test.begun;
  const peer = test.peers[0]!;
  const gone = once(peer.signal, 'abort');
  await new Promise((resolve) => setTimeout(resolve, 50));
  fire();
  if (test.server.connectionCount > 0) await gone;
  expect(test.begun - begun).toBeLessThan(64);
  await until(() => test.server.connectionCount === 0);
  await test.stop();
});

it('M-63: who ends its side while requests still wait for room gets the answer to every one', async () => {
  const answered: number[] = [];
  const test = await startTestServer({
    handlers: {
      slowly: async ({ each }) => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        answered.push(Number(each));
        return each;
      },
    },
  });
  const client = await RawClient.open(test.path);
  const lines = Array.from({ length: 300 }, (_, id) =>
    JSON.stringify({ jsonrpc: '2.0', id, method: 'slowly', params: { each: id } }),
  );
  client.socket.end(`${lines.join('\n')}\n{"half`);
  const ids = new Set<unknown>();
  for (let count = 0; count < 301; count += 1) ids.add((await client.read()).id);
  expect(ids.size).toBe(301);
  expect(await client.read()).toBeNull();
  expect(answered).toHaveLength(300);
  await test.stop();
});

it('F57: params nested too deep and ids that are too long are refused, each with its code', async () => {
  const test = await startTestServer();
  const client = await RawClient.open(test.path);
  const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
  for (const [levels, expected] of [
    [64, { result: expect.anything() }],
    [65, { error: { code: -32600 } }],
    [100_000, { error: { code: -32600 } }],
  ] as const) {
    client.send(`{"jsonrpc":"2.0","id":7,"method":"echo","params":${nested(levels)}}\n`);
    expect(await client.read()).toMatchObject({ id: 7, ...expected });
  }
  expect(await client.ask('echo', {}, 'i'.repeat(256))).toMatchObject({ result: {} });
  expect(await client.ask('echo', {}, 'i'.repeat(257))).toMatchObject({
    id: null,
    error: { code: -32600 },
  });
  client.close();
  await test.stop();
});
