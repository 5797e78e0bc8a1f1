import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Sandbox } from './support/sandbox.ts';

/** Promise: who may use the socket without owning the daemon may look and take snapshots, and do no harm. */

// To be somebody else needs root.
const isRoot = process.getuid?.() === 0;
const STRANGER = 65_534;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
});
afterEach(() => sandbox.dispose());

// By itself: a stranger may not be able to read our own client.
const ASK = `
  const [path, calls] = process.argv.slice(1);
  const socket = require('node:net').connect(path);
  const waiting = [['daemon.hello', { protocol: 1 }], ...JSON.parse(calls)];
  const answers = [];
  const ask = () => {
    const [method, params] = waiting.shift();
    socket.write(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) + '\\n');
  };
  socket.on('error', (error) => { console.error(error.code); process.exit(1); });
  socket.on('connect', ask);
  require('node:readline').createInterface({ input: socket }).on('line', (line) => {
    answers.push(JSON.parse(line));
    if (waiting.length > 0) return ask();
    console.log(JSON.stringify(answers.slice(1)));
    process.exit(0);
  });
`;

/** Answers that another user of the group `gid` gets: `ok`, or the code of an error. */
function asStranger(gid: number, calls: readonly (readonly [string, object])[]): string[] {
  const identity = [`--reuid=${STRANGER}`, `--regid=${gid}`, '--clear-groups'];
  const args = [process.execPath, '-e', ASK, sandbox.socket, JSON.stringify(calls)];
  const answers = JSON.parse(
    execFileSync('setpriv', [...identity, ...args], { encoding: 'utf8', stdio: 'pipe' }),
  );
  return answers.map(
    (each: { error?: { data: { code: string } } }) => each.error?.data.code ?? 'ok',
  );
}

describe.skipIf(!isRoot)('another user (needs root, to be one)', () => {
  it('M-12, M-D15: of the group may look and take snapshots, but change and remove nothing', async () => {
    await sandbox.configure({}, { socketGroup: String(STRANGER) });
    await sandbox.start();
    chmodSync(sandbox.root, 0o711);
    const calls = [
      ['daemon.status', {}],
      ['snapshot.create', {}],
      ['hook.set', { phase: 'pre', hook: 'id > /tmp/owned' }],
      ['restore.run', { snapshotId: 'latest', target: { type: 'directory', path: '/etc/x' } }],
      ['settings.update', { patch: { logLevel: 'debug' } }],
      ['repository.prune', {}],
      ['daemon.shutdown', {}],
    ] as const;
    const denied = 'CAPABILITY_REQUIRED';
    expect(asStranger(STRANGER, calls)).toEqual([
      'ok',
      'ok',
      denied,
      denied,
      denied,
      denied,
      denied,
    ]);
    expect((await sandbox.json(['status']))['ready']).toBe(true);
  });

  it('of no group does not get in at all', async () => {
    await sandbox.configure();
    await sandbox.start();
    chmodSync(sandbox.root, 0o711);
    expect(() => asStranger(STRANGER, [['daemon.status', {}]])).toThrow('EACCES');
  });
});
