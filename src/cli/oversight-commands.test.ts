import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { runLine } from './testing/run-line.ts';
import {
  type Answer,
  type ScriptedDaemon,
  scriptedJob,
  startScriptedDaemon,
} from './testing/scripted-daemon.ts';

const run = promisify(execFile);
let daemon: ScriptedDaemon | null = null;
afterEach(async () => {
  await daemon?.stop();
  daemon = null;
});

async function line(argv: string[], script: Record<string, Answer>) {
  daemon = await startScriptedDaemon(script);
  const environment = { HOLDFAST_SOCKET: daemon.socketPath };
  const { stdout, stderr, exitCode } = await runLine(argv, { environment });
  return { stdout, stderr, exitCode, calls: daemon.calls };
}

const ALERT = {
  id: 'a1',
  kind: 'BACKUP_FAILED',
  sourceId: 'app',
  subject: '',
  severity: 'warning',
  message: 'backup failed: no space',
  jobId: null,
  state: 'open',
  count: 3,
  firstSeenAt: '2026-01-01T00:00:00.000Z',
  lastSeenAt: '2026-01-01T00:00:00.000Z',
  acknowledgedAt: null,
  resolvedAt: null,
};
const ROW = {
  sequence: 1,
  at: '2026-01-01T00:00:00.000Z',
  action: 'settings.update',
  actor: 'user',
  client: 'holdfast 1',
  uid: 1000,
  gid: 1000,
  pid: 42,
  params: { set: {} },
  outcome: 'ok',
  jobId: null,
};

describe('alerts and the audit trail', () => {
  it('F57: are listed, acknowledged and resolved on the command line', async () => {
    const list = await line(['alerts'], {
      'alert.list': () => ({ items: [ALERT], nextCursor: null }),
    });
    expect(list.stdout).toMatch(
      /a1 +warning +open +BACKUP_FAILED +app +3 .*backup failed: no space/,
    );
    await daemon?.stop();
    const ack = await line(['alert', 'ack', 'a1'], {
      'alert.ack': () => ({ ...ALERT, state: 'acknowledged' }),
    });
    expect(ack.calls).toEqual([{ method: 'alert.ack', params: { id: 'a1' } }]);
    expect(ack.stdout).toBe('BACKUP_FAILED is acknowledged.\n');
    await daemon?.stop();
    const audit = await line(['audit', '--action', 'settings.update'], {
      'audit.list': () => ({ items: [ROW], nextCursor: null }),
    });
    expect(audit.stdout).toMatch(/settings\.update +holdfast 1 +1000 +42 +ok/);
    expect(audit.calls[0]?.params).toMatchObject({ action: 'settings.update' });
  });
});

describe('the daemon', () => {
  it('F04, F06: restart says whether somebody starts it again; update-info installs nothing', async () => {
    const restart = await line(['restart'], {
      'daemon.restart': () => ({ stopping: true, supervised: false }),
    });
    expect(restart.stdout).toContain('exit code 75');
    await daemon?.stop();
    const available = { version: '2.0.0', url: null, notes: null };
    const info = await line(['update-info'], {
      'daemon.updateInfo': () => ({ version: '1.2.3', available, newer: true }),
    });
    expect(info.stdout).toBe('Version 2.0.0 is there; this is 1.2.3.\n');
  });
});

describe('holdfast logs', () => {
  it('F49, F58: shows the log of the newest job when none is named', async () => {
    const { stdout, calls } = await line(['logs', '--json'], {
      'job.list': () => ({ items: [scriptedJob({ id: 'newest' })], nextCursor: null }),
      'job.logs': () => ({
        items: [{ seq: 1, at: ROW.at, stream: 'event', message: 'm' }],
        nextSeq: 2,
        nextCursor: null,
        finished: true,
      }),
    });
    expect(calls.at(-1)?.params).toMatchObject({ id: 'newest' });
    expect(JSON.parse(stdout)).toMatchObject({ seq: 1, message: 'm' });
  });
});

describe('holdfast completion', () => {
  it('F58: bash completes commands, subcommands, options and choices from the tree of commands', async () => {
    const { stdout: script } = await runLine(['completion', 'bash']);
    const complete = async (...words: string[]): Promise<string[]> => {
      const quoted = words.map((word) => `'${word}'`).join(' ');
      const text = `${script}\nCOMP_WORDS=(holdfast ${quoted}); COMP_CWORD=${words.length}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout } = await run('bash', ['--norc', '-c', text]);
      return stdout.split('\n').filter((word) => word !== '');
    };
    expect(await complete('sta')).toEqual(['status']);
    expect(await complete('job', '')).toEqual(expect.arrayContaining(['show', 'cancel', 'logs']));
    expect(await complete('job', 'logs', '--fo')).toEqual(['--follow', '--format']);
    expect(await complete('--json', 'completion', 'z')).toEqual(['zsh']);
    expect(await complete('doctor-p')).toEqual([]);
  });

  it('F58: zsh and fish have the same words; no other shell is known', async () => {
    for (const shell of ['zsh', 'fish']) {
      const { stdout } = await runLine(['completion', shell]);
      expect(stdout).toContain("'/job/logs'");
      expect(stdout).toContain('--follow');
    }
    expect((await runLine(['completion', 'tcsh'])).exitCode).toBe(2);
  });
});
