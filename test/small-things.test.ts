import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { projectRoot, Sandbox } from './support/sandbox.ts';

/** Promise: asking costs little and doing nothing costs nothing. Counts, since times depend on the machine. */

let sandbox: Sandbox;

beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
});
afterEach(() => sandbox.dispose());

const dist = join(projectRoot, 'dist');
const bytesOf = (path: string): number => statSync(path).size;

function bodies(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => /\.[0-9a-f]{16}\.js$/.test(name))
    .map((name) => join(directory, name));
}

/** Whether V8 takes what was compiled of a program when it was built. */
function takesCompiled(body: string, flags: readonly string[]): boolean {
  const script = `
    const { readFileSync } = require('node:fs');
    const text = readFileSync(process.argv[1], 'latin1');
    const cachedData = readFileSync(process.argv[1].replace(/js$/, 'cache'));
    const { cachedDataRejected } = new (require('node:vm').Script)(text, { cachedData });
    process.stdout.write(String(cachedDataRejected));`;
  return (
    execFileSync(process.execPath, [...flags, '-e', script, body], { encoding: 'utf8' }) === 'false'
  );
}

it('programs start from what was compiled of them when they were built', () => {
  const started = [...bodies(dist), ...bodies(join(dist, 'cli'))].filter((path) =>
    readdirSync(join(path, '..')).includes(basename(path).replace(/js$/, 'cache')),
  );
  expect(started.map((path) => basename(path).split('.')[0]).sort()).toEqual([
    'daemon',
    'main',
    'worker',
  ]);
  for (const path of started) {
    // As the supervisor forks it: what was compiled under other flags is refused.
    const flags = basename(path).startsWith('worker') ? ['--expose-gc'] : [];
    expect(takesCompiled(path, flags)).toBe(true);
  }
});

it('what every command reads is small: what it needs without a daemon is apart', () => {
  const start = readFileSync(join(dist, 'cli/main.js'), 'utf8');
  const [first, second] = /main\.[0-9a-f]{16}/g[Symbol.match](start)!;
  expect(bytesOf(join(dist, 'cli', `${first}.js`))).toBeLessThan(800_000);
  expect(bytesOf(join(dist, 'cli', `${first}.cache`))).toBeLessThan(400_000);
  expect(readdirSync(join(dist, 'cli'))).not.toContain(`${second}.cache`);
  expect(readFileSync(join(dist, 'cli', `${first}.js`), 'utf8')).not.toContain('node_modules/zod/');
});

/** Stands between the command and the daemon. */
async function counted(target: string, path: string) {
  const counts = { connections: 0, requests: 0 };
  const server: Server = createServer((client) => {
    counts.connections += 1;
    const daemon = createConnection(target);
    client.on('data', (chunk) => {
      counts.requests += chunk.toString('utf8').split('\n').length - 1;
    });
    client.pipe(daemon).pipe(client);
    for (const socket of [client, daemon]) socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { counts, close: () => server.close() };
}

it('status is one connection with two requests: the greeting and the question', async () => {
  await sandbox.start();
  const path = join(sandbox.root, 'between');
  const { counts, close } = await counted(sandbox.socket, path);
  try {
    const { exitCode } = await sandbox.run(['status', '--socket', path]);
    expect({ exitCode, ...counts }).toEqual({ exitCode: 0, connections: 1, requests: 2 });
  } finally {
    close();
  }
});

it.runIf(process.platform === 'linux')('an idle daemon hardly ever wakes up', async () => {
  const { process: daemon } = await sandbox.start();
  const wakes = (): number => {
    const status = readFileSync(`/proc/${daemon.pid}/task/${daemon.pid}/status`, 'utf8');
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)![1]);
  };
  // What boot left to be done a moment later.
  await sleep(2_000);
  const before = wakes();
  await sleep(4_000);
  expect(wakes() - before).toBeLessThan(40);
});
