import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordProof } from '../src/kernel/testing/record-proof.ts';
import { Sandbox } from './support/sandbox.ts';

/** Promise: names and output are words, never commands: not to a shell, not to a terminal. */

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = new Sandbox();
});
afterEach(() => sandbox.dispose());

const EVIL = '`touch pwned`$(touch pwned);touch pwned|touch pwned&&"touch\' pwned';
const ESCAPES = '\u001b[2J\u001b]0;owned\u0007\u009b31m\u007f\r\b';
/** Besides line breaks, tabs and colours of our own, none of which are shown without a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

function pwned(): string[] {
  const places = [sandbox.root, sandbox.data, sandbox.state, process.cwd()];
  return places.flatMap((place) => readdirSync(place).filter((name) => name === 'pwned'));
}

describe('hooks', () => {
  it('F54: a hook is told hostile names as they are, and none of them is run, nor is an environment passed on', async () => {
    await sandbox.configure({
      name: `app ${EVIL}`.slice(0, 60),
      hooks: { pre: 'env > "$HOLDFAST_REPOSITORY_DIRECTORY.env"; echo "$HOLDFAST_SOURCE"' },
    });
    writeFileSync(join(sandbox.data, `-rf ${EVIL.replaceAll('/', '')}`), 'x');
    await sandbox.start({
      environment: {
        BASH_ENV: '/nowhere',
        ENV: '/nowhere',
        SECRET_TOKEN: 'secret',
        NODE_OPTIONS: '--no-warnings',
        LD_LIBRARY_PATH: '/nowhere',
        IFS: 'x',
      },
    });
    const words = ['--tag', '$(touch pwned)', '--reason', `${EVIL}\n${ESCAPES}`];
    const backup = await sandbox.json(['backup', ...words, '--wait']);
    expect(backup['status']).toBe('succeeded');
    const environment = readFileSync(`${sandbox.repository}.env`, 'utf8');
    expect(environment).toContain(`HOLDFAST_SOURCE=${`app ${EVIL}`.slice(0, 60)}`);
    expect(environment).not.toMatch(
      /NODE_OPTIONS|BASH_ENV|LD_|SECRET_TOKEN|HOLDFAST_TEST|NODE_CHANNEL/,
    );
    const { items } = await sandbox.json(['ls', backup['snapshotId'], 'data']);
    expect(items[0].name).toContain('`touch pwned`');
    expect(pwned()).toEqual([]);
  });

  it('F54: output without end, of bytes that are no text, and daemons left behind hold up no backup', async () => {
    const megabytes = Number(process.env['HOLDFAST_TEST_HOOK_MEGABYTES'] ?? 16);
    await sandbox.configure({
      hooks: {
        pre: `head -c ${megabytes}000000 /dev/urandom; head -c ${megabytes}000000 /dev/zero; printf '\\033[2J\\033]0;owned\\007\\n'; (trap '' TERM HUP; sleep 300) & exec 1>&- 2>&-; exit 0`,
      },
    });
    writeFileSync(join(sandbox.data, `name ${ESCAPES}`), 'x');
    mkdirSync(join(sandbox.data, 'sub\u001b[31m\nnewline'));
    await sandbox.start();
    const backup = await sandbox.run(['backup', '--wait', '--reason', ESCAPES]);
    expect(backup.exitCode).toBeLessThanOrEqual(3);
    const { items: jobs } = await sandbox.json(['jobs']);
    const commands = [
      ['jobs'],
      ['job', 'logs', jobs[0].id],
      ['job', jobs[0].id],
      ['snapshots'],
      ['show', 'latest'],
      ['ls', 'latest', 'data'],
      ['find', '*'],
      ['status'],
      ['restore', 'latest', '--to', join(sandbox.root, 'copy'), '--dry-run'],
      ['restore', 'latest', '--to', `/nowhere/${ESCAPES.replaceAll('\u0000', '')}`, '--yes'],
      ['job', `no such ${ESCAPES}`],
      ['tree', `${ESCAPES}`],
    ];
    let shown = 0;
    for (const command of commands) {
      for (const line of [command, [...command, '--json']]) {
        const { stdout, stderr } = await sandbox.run(line);
        expect(`${stdout}${stderr}`, line.join(' ')).not.toMatch(CONTROLS);
        shown += stdout.length + stderr.length;
      }
    }
    recordProof({
      suite: 'hook-injection',
      promise: 'Names and output of hooks are never run, nor let through to a terminal as commands',
      how: 'A hook writes random bytes, zeros and escape sequences and leaves a process behind that ignores signals; files, directories and reasons are named in escape sequences. Every command that shows them is run, with and without --json.',
      command: 'npm run test:hooks',
      figures: {
        'megabytes of output': 2 * megabytes,
        'command lines': 2 * commands.length,
        'characters shown': shown,
      },
      failures: 0,
      seeds: 'none',
    });
  });
});
