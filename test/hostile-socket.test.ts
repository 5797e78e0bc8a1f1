import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Sandbox } from './support/sandbox.ts';

/** Promise: whatever is written to the socket gets a clear error or a closed connection, and the daemon lives. */

let sandbox: Sandbox;
let daemonPid: number;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
  const daemon = await sandbox.start();
  daemonPid = daemon.process.pid!;
});
afterEach(async () => {
  // It lives, and answers a fresh client.
  expect((await (await sandbox.client()).call('daemon.ping', {})).pid).toBe(daemonPid);
  await sandbox.dispose();
});

const HELLO = `${JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'daemon.hello', params: { protocol: 1 } })}\n`;

async function opened(): Promise<Socket> {
  const socket = connect(sandbox.socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** What the daemon says to `input` after a hello; null when it closes the connection instead. */
async function answerTo(input: string | Buffer): Promise<Record<string, any> | null> {
  const socket = await opened();
  const lines = createInterface({ input: socket });
  const iterator = lines[Symbol.asyncIterator]();
  socket.write(HELLO);
  await iterator.next();
  socket.write(input);
  const { value, done } = await iterator.next();
  socket.destroy();
  return done === true ? null : JSON.parse(value);
}

function residentBytes(): number {
  return Number(readFileSync(`/proc/${daemonPid}/statm`, 'utf8').split(' ')[1]) * 4096;
}

describe('hostile input', () => {
  it.each([
    ['not JSON', 'this is not JSON\n', -32700],
    ['an unknown method', '{"jsonrpc":"2.0","id":1,"method":"no.such"}\n', -32601],
    ['wrong types', '{"jsonrpc":"2.0","id":1,"method":"job.get","params":{"id":7}}\n', -32602],
    ['a number', '7\n', -32600],
    ['null', 'null\n', -32600],
    ['an empty batch', '[]\n', -32600],
  ])('%s gets its JSON-RPC error', async (_name, input, code) => {
    const answer = await answerTo(input);
    const error = Array.isArray(answer) ? answer[0].error : answer?.['error'];
    expect(error).toMatchObject({ code });
    expect(JSON.stringify(answer)).not.toContain('at '.concat('Object.'));
  });

  it('[null] gets an error for its one element', async () => {
    expect(JSON.stringify(await answerTo('[null]\n'))).toContain('-32600');
  });

  it('a 10 MiB line is refused or the connection closed, without keeping it in memory', async () => {
    const before = residentBytes();
    const answer = await answerTo(Buffer.alloc(10 * 1024 * 1024, 'a'));
    if (answer !== null) expect(answer['error']).toBeDefined();
    expect(residentBytes() - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('a batch of 50,000 is refused as a whole', async () => {
    const one = '{"jsonrpc":"2.0","id":1,"method":"daemon.ping"}';
    const answer = await answerTo(`[${Array(50_000).fill(one).join(',')}]\n`);
    if (answer !== null) expect(JSON.stringify(answer).length).toBeLessThan(10_000);
  });

  it('binary garbage and half a line do no harm', async () => {
    const socket = await opened();
    socket.resume();
    socket.end(Buffer.from([0, 255, 254, 10, 123, 34]));
    await once(socket, 'close');
  });

  it('a client that never reads is dropped, and memory stays bounded', async () => {
    const socket = await opened();
    socket.pause();
    socket.write(HELLO);
    const before = residentBytes();
    const request = '{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n';
    let closed = false;
    socket.on('close', () => {
      closed = true;
    });
    for (let sent = 0; sent < 20_000 && !closed; sent += 100) {
      const flushed = socket.write(request.repeat(100));
      if (!flushed) {
        const drained = new Promise((resolve) => socket.once('drain', resolve));
        const ended = new Promise((resolve) => socket.once('close', resolve));
        // Either the daemon stops reading us, which bounds it as well, or it drops us.
        await Promise.race([drained, ended, new Promise((resolve) => setTimeout(resolve, 500))]);
        if (socket.writableNeedDrain) break;
      }
    }
    expect(residentBytes() - before).toBeLessThan(128 * 1024 * 1024);
    socket.destroy();
  });
});
