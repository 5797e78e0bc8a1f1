import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordProof } from '../src/kernel/testing/record-proof.ts';
import { CONNECTIONS_MAX } from '../src/rpc/server.ts';
import { Sandbox } from './support/sandbox.ts';

/** Promise: clients that flood, stop reading or die cost the daemon and its other clients next to nothing. */

const PIPELINED = Number(process.env['HOLDFAST_TEST_PIPELINED'] ?? 20_000);
const FLOOD = Number(process.env['HOLDFAST_TEST_CONNECTIONS'] ?? 500);
const NOBODY = 65_534;
const HELLO = '{"jsonrpc":"2.0","id":0,"method":"daemon.hello","params":{"protocol":1}}\n';

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
});
afterEach(() => sandbox.dispose());

async function opened(): Promise<Socket> {
  const socket = connect(sandbox.socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function linesOf(socket: Socket, count: number): Promise<string[]> {
  let text = '';
  let lines = 0;
  for await (const chunk of socket.setEncoding('utf8')) {
    text += chunk;
    lines += String(chunk).split('\n').length - 1;
    if (lines >= count) break;
  }
  return text.split('\n').slice(0, count);
}

const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
const residentBytes = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;

describe('hostile clients', () => {
  it('F57: requests pipelined without reading wait unread; others are served; each is answered once', async () => {
    const { process: daemon } = await sandbox.start();
    const other = await sandbox.client();
    const socket = await opened();
    socket.pause();
    const before = residentBytes(daemon.pid!);
    socket.write(HELLO);
    for (let id = 1; id <= PIPELINED; id += 1) {
      socket.write(`{"jsonrpc":"2.0","id":${id},"method":"daemon.ping"}\n`);
    }
    for (let count = 0; count < 20; count += 1) {
      expect((await other.call('daemon.ping', {})).pid).toBe(daemon.pid);
    }
    expect(residentBytes(daemon.pid!) - before).toBeLessThan(64 * 1024 * 1024);
    const lines = await linesOf(socket, PIPELINED + 1);
    const ids = new Set(lines.map((line) => JSON.parse(line).id));
    expect(ids.size).toBe(PIPELINED + 1);
    socket.destroy();
  });

  it('F57: a flood of connections is refused beyond the limit, and leaves every place free', async () => {
    const { process: daemon } = await sandbox.start();
    const early = await sandbox.client();
    const before = descriptors(daemon.pid!);
    let refused = 0;
    const flood: Socket[] = [];
    for (let count = 0; count < FLOOD; count += 1) {
      const socket = connect(sandbox.socket);
      socket.on('error', () => {});
      socket.on('data', (data) => {
        if (String(data).includes('LIMIT_EXCEEDED')) refused += 1;
      });
      flood.push(socket);
    }
    expect((await early.call('daemon.ping', {})).pid).toBe(daemon.pid);
    expect(descriptors(daemon.pid!)).toBeLessThan(before + 2 * CONNECTIONS_MAX + 10);
    while (refused === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    // Some die in the middle of a request, some in the middle of waiting for an answer.
    for (const [index, socket] of flood.entries()) {
      if (index % 2 === 0) socket.write(HELLO.slice(0, 20));
      socket.destroy();
    }
    while (descriptors(daemon.pid!) > before)
      await new Promise((resolve) => setTimeout(resolve, 10));
    const late = await Promise.all(
      Array.from({ length: CONNECTIONS_MAX - 1 }, () => sandbox.client()),
    );
    expect((await late.at(-1)!.call('daemon.status', {})).ready).toBe(true);
    recordProof({
      suite: 'hostile-clients',
      promise: 'Floods, pipelines and clients that die leave every other client served',
      how: 'One client pipelines requests and reads nothing for a while; many connect at once and die in the middle of a request; memory, descriptors and the places for others are counted.',
      command: 'npm run test:clients',
      figures: {
        'requests pipelined without reading': PIPELINED,
        'connections at once': FLOOD,
        'told LIMIT_EXCEEDED': refused,
      },
      failures: 0,
      seeds: 'none',
    });
  });

  it('F57: a subscriber that reads nothing holds up nobody', async () => {
    await sandbox.start();
    const socket = await opened();
    socket.write(`${HELLO}{"jsonrpc":"2.0","id":1,"method":"event.subscribe"}\n`);
    await linesOfPaused(socket);
    const other = await sandbox.client();
    for (let count = 0; count < 10; count += 1) {
      expect((await other.call('daemon.ping', {})).uptimeMs).toBeGreaterThan(0);
    }
    socket.destroy();
  });

  async function linesOfPaused(socket: Socket): Promise<void> {
    await once(socket, 'data');
    socket.pause();
  }
});

/** How the daemon ends that cannot listen. */
async function refusal(): Promise<number | null> {
  const daemon = sandbox.launch();
  const { code } = await daemon.ended;
  return code;
}

describe('the path of the socket', () => {
  it('F57: what is no socket is left as it is, and the daemon does not start', async () => {
    const directory = dirname(sandbox.socket);
    const precious = join(sandbox.root, 'precious');
    writeFileSync(precious, 'precious');
    const kinds: [string, () => void][] = [
      ['a file', () => writeFileSync(sandbox.socket, 'precious')],
      ['a directory', () => mkdirSync(sandbox.socket)],
      ['a symlink', () => symlinkSync(precious, sandbox.socket)],
      ['a symlink to nothing', () => symlinkSync('/nowhere', sandbox.socket)],
    ];
    for (const [name, put] of kinds) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      put();
      const { ino } = lstatSync(sandbox.socket);
      expect(await refusal(), name).toBeGreaterThan(0);
      expect(lstatSync(sandbox.socket).ino, name).toBe(ino);
      expect(readFileSync(precious, 'utf8')).toBe('precious');
      rmSync(directory, { recursive: true });
    }
  });

  it('F57: a directory that others could change is refused', async () => {
    const directory = dirname(sandbox.socket);
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o777);
    expect(await refusal()).toBeGreaterThan(0);
    if (process.geteuid!() !== 0) return;
    chmodSync(directory, 0o700);
    chownSync(directory, NOBODY, NOBODY);
    expect(await refusal()).toBeGreaterThan(0);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('F57: of two daemons the first goes on; after a kill the stale socket is replaced', async () => {
    const first = await sandbox.start();
    expect(await refusal()).toBeGreaterThan(0);
    expect((await (await sandbox.client()).call('daemon.ping', {})).pid).toBe(first.process.pid);
    first.process.kill('SIGKILL');
    await first.ended;
    expect(lstatSync(sandbox.socket).isSocket()).toBe(true);
    const second = await sandbox.start();
    expect((await (await sandbox.client()).call('daemon.ping', {})).pid).toBe(second.process.pid);
  });
});

/** What another user gets who connects and sends these lines; or the code of the system's refusal. */
async function asNobody(lines: string, group: number): Promise<string> {
  const script = `const s = require('net').connect(${JSON.stringify(sandbox.socket)});
    s.on('error', (error) => { process.stdout.write(error.code); process.exit(); });
    s.on('data', (data) => process.stdout.write(data)); s.end(${JSON.stringify(lines)});`;
  const child = spawn(process.execPath, ['-e', script], { uid: NOBODY, gid: group, cwd: '/' });
  let text = '';
  child.stdout.on('data', (data) => {
    text += String(data);
  });
  await once(child, 'close');
  return text;
}

describe.skipIf(process.geteuid?.() !== 0)('another user', () => {
  it('F57: is refused by the mode of the socket, and by that of its directory', async () => {
    await sandbox.start();
    expect(lstatSync(sandbox.socket).mode & 0o777).toBe(0o600);
    expect(lstatSync(dirname(sandbox.socket)).mode & 0o777).toBe(0o700);
    chmodSync(sandbox.root, 0o755);
    expect(await asNobody(HELLO, NOBODY)).toBe('EACCES');
    chmodSync(dirname(sandbox.socket), 0o755);
    expect(await asNobody(HELLO, NOBODY)).toBe('EACCES');
  });

  it('F57: of the group of the socket may look, and changes nothing that is not theirs', async () => {
    await sandbox.configure({}, { socketGroup: String(NOBODY) });
    await sandbox.start();
    chmodSync(sandbox.root, 0o755);
    const ask = (id: number, method: string, params = {}): string =>
      `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;
    const text = await asNobody(
      `${HELLO}${ask(1, 'source.list')}${ask(2, 'daemon.shutdown')}${ask(3, 'hook.set', {})}`,
      NOBODY,
    );
    const answers = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const byId = new Map(answers.map((answer) => [answer.id, answer]));
    expect(byId.get(1).result.items).toHaveLength(1);
    expect(byId.get(2).error.data.code).toBe('CAPABILITY_REQUIRED');
    expect(byId.get(3).error.data.code).toBe('CAPABILITY_REQUIRED');
    expect((await (await sandbox.client()).call('daemon.ping', {})).uptimeMs).toBeGreaterThan(0);
  });
});
