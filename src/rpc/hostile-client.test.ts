import { once } from 'node:events';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { REQUEST_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import { silentLogger } from '../kernel/logger.ts';
import { CONNECTIONS_MAX } from './server.ts';
import { RawClient } from './testing/raw-client.ts';
import { startTestServer, type TestServer, until } from './testing/test-server.ts';

let test: TestServer;
const logged: Record<string, unknown>[] = [];
const logger: Logger = { ...silentLogger, error: (fields) => logged.push(fields) };

beforeEach(async () => {
  logged.length = 0;
  test = await startTestServer({ logger });
});

afterEach(async () => {
  const client = await RawClient.open(test.path);
  const answer = await client.ask('echo', { still: 'here' });
  client.close();
  await test.stop();
  // Whatever was done to the server, a fresh client is answered afterwards.
  expect(answer).toEqual({ jsonrpc: '2.0', id: 1, result: { still: 'here' } });
});

async function answerTo(line: string | Buffer): Promise<unknown> {
  const client = await RawClient.open(test.path);
  client.send(line);
  client.send('\n');
  const answer = await client.read();
  // The connection goes on after every refusal of a request.
  expect(await client.ask('echo', { a: 1 }, 'next')).toMatchObject({
    id: 'next',
    result: { a: 1 },
  });
  client.close();
  return answer;
}

const refusal = (code: number, id: unknown = null) => ({
  jsonrpc: '2.0',
  id,
  error: { code, data: { code: 'INVALID_PARAMS', retryable: false, hint: expect.any(String) } },
});

describe('a client that sends nonsense', () => {
  it('gets Parse error for what is not JSON in UTF-8', async () => {
    for (const line of [
      'nonsense',
      '{"jsonrpc":"2.0",',
      'GET / HTTP/1.1\r',
      '{"a":1}}',
      '\u0000',
    ]) {
      expect(await answerTo(line)).toMatchObject(refusal(-32700));
    }
    expect(await answerTo(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toMatchObject(refusal(-32700));
    expect(await answerTo(Buffer.from([0xff, 0xfe, 0x00]))).toMatchObject(refusal(-32700));
  });

  it('gets Invalid Request for JSON that is no request', async () => {
    for (const line of ['null', '0', 'true', '"x"', '{}', '[]', '{"jsonrpc":"2.0"}']) {
      expect(await answerTo(line)).toMatchObject(refusal(-32600));
    }
    const wrong = [
      { jsonrpc: '1.0', id: 7, method: 'echo' },
      { jsonrpc: '2.0', id: 7, method: 5 },
      { jsonrpc: '2.0', id: 7, method: '' },
      { jsonrpc: '2.0', id: 7, method: 'm'.repeat(1000) },
      { jsonrpc: '2.0', id: 7, method: 'echo', params: 'x' },
      { jsonrpc: '2.0', id: 7, method: 'echo', params: null },
      { jsonrpc: '2.0', id: 7, result: 1 },
    ];
    for (const request of wrong) {
      expect(await answerTo(JSON.stringify(request))).toMatchObject(refusal(-32600, 7));
    }
  });

  it('gets Invalid Request for ids that are neither strings nor numbers', async () => {
    for (const id of ['{"a":1}', '[1]', 'true', '1e999']) {
      expect(await answerTo(`{"jsonrpc":"2.0","id":${id},"method":"echo"}`)).toMatchObject(
        refusal(-32600),
      );
    }
  });

  it('gets an array for a batch, whatever its length', async () => {
    expect(await answerTo('[null]')).toMatchObject([refusal(-32600)]);
    const one = '[{"jsonrpc":"2.0","id":1,"method":"echo","params":{"b":2}}]';
    expect(await answerTo(one)).toEqual([{ jsonrpc: '2.0', id: 1, result: { b: 2 } }]);
    const mixed = '[1,{"jsonrpc":"2.0","method":"echo"},{"jsonrpc":"2.0","id":2,"method":"none"}]';
    expect(await answerTo(mixed)).toMatchObject([
      { id: null, error: { code: -32600 } },
      { id: 2, error: { code: -32601, data: { code: 'NOT_FOUND' } } },
    ]);
  });

  it('gets one LIMIT_EXCEEDED for a batch of 33 or of 50,000, and none of it runs', async () => {
    for (const length of [33, 50_000]) {
      const batch = length === 33 ? '{"jsonrpc":"2.0","id":1,"method":"echo"}' : '1';
      expect(await answerTo(`[${Array(length).fill(batch).join(',')}]`)).toMatchObject({
        id: null,
        error: { data: { code: 'LIMIT_EXCEEDED' } },
      });
    }
    const full = Array.from({ length: 32 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'echo' }));
    expect(await answerTo(JSON.stringify(full))).toHaveLength(32);
  });

  it('gets Method not found, without hearing of prototypes', async () => {
    for (const method of ['no.such', 'toString', '__proto__', 'constructor']) {
      expect(await answerTo(JSON.stringify({ jsonrpc: '2.0', id: 'x', method }))).toMatchObject({
        id: 'x',
        error: { code: -32601, data: { code: 'NOT_FOUND' } },
      });
    }
  });

  it('cannot pollute prototypes; of duplicate keys the last counts', async () => {
    const evil = '{"jsonrpc":"2.0","id":1,"method":"echo","params":{"__proto__":{"polluted":1}}}';
    expect(await answerTo(evil)).toMatchObject({ id: 1 });
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
    expect(
      await answerTo('{"jsonrpc":"2.0","id":1,"id":2,"method":"no","method":"echo"}'),
    ).toMatchObject({ id: 2, result: {} });
  });

  it('cannot overflow the stack with nesting', async () => {
    const deep = 400_000;
    expect(await answerTo('['.repeat(deep))).toMatchObject(refusal(-32700));
    expect(await answerTo(`${'['.repeat(deep)}${']'.repeat(deep)}`)).toMatchObject([
      { error: { code: -32600 } },
    ]);
    const params = `${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}`;
    const answer = await answerTo(`{"jsonrpc":"2.0","id":1,"method":"echo","params":${params}}`);
    expect(answer).toMatchObject({ id: 1 });
  });

  it('learns nothing of the inside from a failure, which is logged instead', async () => {
    const answer = await answerTo('{"jsonrpc":"2.0","id":1,"method":"fail"}');
    expect(answer).toMatchObject({ error: { code: -32603, data: { code: 'INTERNAL' } } });
    expect(JSON.stringify(answer)).not.toMatch(/secret|shadow|test-server|at /);
    expect(logged).toMatchObject([{ method: 'fail', stack: expect.stringContaining('secret') }]);
    expect(await answerTo('{"jsonrpc":"2.0","id":1,"method":"refuse"}')).toEqual({
      jsonrpc: '2.0',
      id: 1,
      error: {
        code: -32018,
        message: 'Cannot show snapshot "ab12": no snapshot has this id',
        data: { code: 'NOT_FOUND', retryable: false, hint: 'List them.', details: { id: 'ab12' } },
      },
    });
  });

  it('gets an answer for results that cannot be sent', async () => {
    expect(await answerTo('{"jsonrpc":"2.0","id":1,"method":"circular"}')).toMatchObject({
      id: 1,
      error: { data: { code: 'INTERNAL' } },
    });
    expect(
      await answerTo('{"jsonrpc":"2.0","id":1,"method":"bytes","params":{"length":4000000}}'),
    ).toMatchObject({ id: 1, error: { data: { code: 'LIMIT_EXCEEDED' } } });
    expect(await answerTo('{"jsonrpc":"2.0","id":1,"method":"nothing"}')).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: null,
    });
  });

  it('is answered the same wherever its bytes are cut', async () => {
    const value = fc.option(fc.string({ unit: 'binary' }), { nil: null });
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat({ max: 800 }), { maxLength: 10 }),
        async (values, cuts) => {
          const frames = values.map((each, id) =>
            each === null
              ? 'nonsense\r\n'
              : `${JSON.stringify({ jsonrpc: '2.0', id, method: 'echo', params: { each } })}\n \n`,
          );
          const bytes = Buffer.from(frames.join(''));
          const client = await RawClient.open(test.path);
          const places = [...new Set([...cuts, bytes.length])]
            .filter((place) => place <= bytes.length)
            .sort((left, right) => left - right);
          let start = 0;
          for (const end of places) {
            const piece = bytes.subarray(start, end);
            await new Promise((resolve) => client.socket.write(piece, resolve));
            start = end;
          }
          // Answers may overtake each other: JSON-RPC tells them apart by their ids.
          const answers = new Map<unknown, unknown>();
          let refused = 0;
          for (const _ of values) {
            const answer = await client.read();
            if (answer.id === null) refused += 1;
            else answers.set(answer.id, answer.result.each);
          }
          client.close();
          expect(refused).toBe(values.filter((each) => each === null).length);
          for (const [id, each] of values.entries()) {
            if (each !== null) expect(answers.get(id)).toBe(each);
          }
        },
      ),
      { numRuns: 150, verbose: true },
    );
  });
});

describe('a client that sends too much', () => {
  it('is told so, then dropped, when a line is too long', async () => {
    const client = await RawClient.open(test.path);
    client.send(Buffer.alloc(10 * 1024 * 1024, 'x'));
    expect(await client.read()).toMatchObject({
      id: null,
      error: { data: { code: 'LIMIT_EXCEEDED' } },
    });
    expect(await client.read()).toBeNull();
    await client.ended;
  });

  it('may send a line of exactly the limit', async () => {
    const client = await RawClient.open(test.path);
    const frame = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'nothing', params: { x: '' } });
    const filling = 'x'.repeat(REQUEST_BYTES_MAX - 1 - frame.length);
    client.send(`${frame.replace('""', `"${filling}"`)}\n`);
    expect(await client.read()).toEqual({ jsonrpc: '2.0', id: 1, result: null });
    client.close();
  });

  it('has at most 64 requests in flight; the rest wait unread, none is lost', async () => {
    const client = await RawClient.open(test.path);
    for (let id = 1; id <= 500; id += 1) client.request('hold', {}, id);
    await until(() => test.held.length === REQUESTS_IN_FLIGHT_MAX);
    const other = await RawClient.open(test.path);
    expect(await other.ask('echo')).toMatchObject({ id: 1 });
    other.close();
    expect(test.running).toBe(REQUESTS_IN_FLIGHT_MAX);
    const ids = new Set<number>();
    while (ids.size < 500) {
      await until(() => test.held.length > 0);
      test.held.shift()!();
      ids.add((await client.read()).id);
    }
    expect(test.runningMax).toBeLessThanOrEqual(REQUESTS_IN_FLIGHT_MAX + 1);
    client.close();
  });

  it('gets no further request begun while it does not read its answers', async () => {
    const client = await RawClient.open(test.path);
    client.socket.pause();
    const before = process.memoryUsage.rss();
    for (let id = 1; id <= 2000; id += 1) client.request('bytes', { length: 50_000 }, id);
    const other = await RawClient.open(test.path);
    for (let id = 0; id < 50; id += 1) await other.ask('echo');
    other.close();
    expect(test.begun).toBeLessThan(250);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
    client.socket.resume();
    for (let id = 1; id <= 2000; id += 1) expect((await client.read()).id).toBe(id);
    client.close();
  });

  it('is dropped when the answers it does not read pass 4 MiB', async () => {
    const client = await RawClient.open(test.path);
    client.socket.pause();
    for (let id = 1; id <= 64; id += 1) client.request('bytes', { length: 1_000_000 }, id);
    await until(() => test.begun > 0 && test.server.connectionCount === 0);
    expect(test.begun).toBeLessThanOrEqual(64);
  });

  it('is told so when it is the 65th', async () => {
    const clients: RawClient[] = [];
    for (let index = 0; index < CONNECTIONS_MAX; index += 1) {
      clients.push(await RawClient.open(test.path));
    }
    await until(() => test.server.connectionCount === CONNECTIONS_MAX);
    const late = await RawClient.open(test.path);
    expect(await late.read()).toMatchObject({ error: { data: { code: 'LIMIT_EXCEEDED' } } });
    expect(await late.read()).toBeNull();
    for (const client of clients) client.close();
    await until(() => test.server.connectionCount === 0);
  });
});

describe('a client that leaves', () => {
  it('in the middle of a line is told, and forgotten', async () => {
    const client = await RawClient.open(test.path);
    client.socket.end('{"jsonrpc":"2.0","id":1,"method":"echo"');
    expect(await client.read()).toMatchObject(refusal(-32700));
    await client.ended;
    await until(() => test.server.connectionCount === 0);
  });

  it('after its last request still gets all answers', async () => {
    const client = await RawClient.open(test.path);
    for (let id = 1; id <= 200; id += 1) client.request('echo', { id }, id);
    client.socket.end();
    for (let id = 1; id <= 200; id += 1) expect(await client.read()).toMatchObject({ id });
    expect(await client.read()).toBeNull();
  });

  it('does not keep a request waiting that waits for it alone', async () => {
    const client = await RawClient.open(test.path);
    client.request('hold');
    await until(() => test.running === 1);
    client.close();
    await until(() => test.running === 0);
  });
});

describe('a subscriber that does not read', () => {
  it('is refused notifications, not dropped, and costs bounded memory for 100,000 of them', async () => {
    const client = await RawClient.open(test.path);
    await until(() => test.peers.length === 1);
    const peer = test.peers[0]!;
    client.socket.pause();
    const before = process.memoryUsage.rss();
    let sent = 0;
    for (let seq = 0; seq < 100_000; seq += 1) {
      if (peer.notify('event', { seq, filling: 'x'.repeat(1000) })) sent += 1;
    }
    expect(sent).toBeGreaterThan(100);
    expect(sent).toBeLessThan(2000);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
    let writable = false;
    peer.onWritable(() => {
      writable = true;
    });
    client.socket.resume();
    for (let index = 0; index < sent; index += 1) expect(await client.read()).not.toBeNull();
    await until(() => writable);
    expect(peer.notify('event', { seq: -1 })).toBe(true);
    expect(await client.read()).toMatchObject({ method: 'event', params: { seq: -1 } });
    client.close();
    await once(peer.signal, 'abort');
    expect(peer.notify('event', {})).toBe(false);
  });
});
