import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { runLine } from './testing/run-line.ts';
import { type ScriptedDaemon, startScriptedDaemon } from './testing/scripted-daemon.ts';

let daemon: ScriptedDaemon;
let directory: string | null = null;

afterEach(async () => {
  await daemon.stop();
  if (directory !== null) await rm(directory, { recursive: true, force: true });
});

const STATE = {
  version: 7,
  origin: 'rpc',
  paused: false,
  appliedVersion: 7,
  appliedAt: '2026-03-27T12:00:00.000Z',
  applied: 1,
  rejected: [{ scheduleId: 'night', sourceId: 'gone', reason: 'its source is no longer there' }],
} as const;

const CHANGES = ['set', 'add', 'update', 'remove', 'reset', 'pause', 'resume', 'status'];

async function line(...argv: string[]) {
  const answers = CHANGES.map((verb) => [`schedule.${verb}`, () => STATE]);
  daemon = await startScriptedDaemon(Object.fromEntries(answers));
  const environment = { HOLDFAST_SOCKET: daemon.socketPath };
  const result = await runLine(['schedule', ...argv], { environment });
  const { exitCode, stdout, stderr } = result;
  return { exitCode, stdout, stderr, call: daemon.calls[0] };
}

describe('holdfast schedule', () => {
  it('F42: says which version is in force, and what is not', async () => {
    const { stdout, exitCode } = await line('status');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('version 7 since 2026-03-27 12:00:00Z: 1 schedule');
    expect(stdout).toContain('not in force: night of gone: its source is no longer there');
  });

  it.each([
    [
      ['add', 'night', '--source', 'app', '--cron', '0 3 * * *', '--time-zone', 'Europe/Paris'],
      'schedule.add',
      {
        schedule: {
          id: 'night',
          sourceId: 'app',
          kind: 'backup',
          trigger: { type: 'cron', expression: '0 3 * * *', timeZone: 'Europe/Paris' },
        },
      },
    ],
    [
      ['add', '--kind', 'prune', '--every', '7d', '--jitter', '5min', '--disabled'],
      'schedule.add',
      {
        schedule: {
          kind: 'prune',
          trigger: { type: 'interval', intervalMs: 604_800_000 },
          jitterMs: 300_000,
          enabled: false,
        },
      },
    ],
    [
      ['update', 'night', '--overlap', 'queue', '--enable', '--expect-version', '7'],
      'schedule.update',
      { scheduleId: 'night', changes: { overlap: 'queue', enabled: true }, expectVersion: 7 },
    ],
    [['remove', 'night'], 'schedule.remove', { scheduleId: 'night' }],
    [['reset'], 'schedule.reset', {}],
    [['pause'], 'schedule.pause', {}],
    [
      ['resume', 'night', '--source', 'app'],
      'schedule.resume',
      { scheduleId: 'night', sourceId: 'app' },
    ],
  ])('asks for what the line says: %j', async (argv, method, params) => {
    const { call, exitCode } = await line(...argv);
    expect(exitCode).toBe(0);
    expect(call).toEqual({ method, params });
  });

  it('sets what a file says, also one that the list printed', async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-cli-'));
    const file = join(directory, 'schedules.json');
    const schedule = { id: 'night', sourceId: 'app', trigger: '0 3 * * *' };
    const items = [{ ...schedule, nextDueAt: null, origin: 'rpc' }];
    await writeFile(file, JSON.stringify({ items, nextCursor: null }));
    const { call } = await line('set', file, '--json');
    expect(call).toEqual({ method: 'schedule.set', params: { schedules: [schedule] } });
  });

  it('does not guess when: usage error', async () => {
    const { exitCode, stderr, call } = await line('add', 'night', '--source', 'app');
    expect([exitCode, call]).toEqual([2, undefined]);
    expect(stderr).toContain('--every');
  });
});
