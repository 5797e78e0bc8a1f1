import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from './exit-codes.ts';
import { runOfflineLine } from './testing/offline-line.ts';
import { type LineOptions, runLine } from './testing/run-line.ts';
import {
  followScript,
  type ScriptedDaemon,
  scriptedJob,
  startScriptedDaemon,
} from './testing/scripted-daemon.ts';

let directory: string;
let daemon: ScriptedDaemon | null = null;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-offline-'));
  await mkdir(join(directory, 'app'));
});

afterEach(async () => {
  await daemon?.stop();
  daemon = null;
  await rm(directory, { recursive: true });
});

const offlineLine = (argv: string[], behaviour?: string, options?: LineOptions) =>
  runOfflineLine(directory, argv, behaviour, options);

const status = (fields: object) => ({
  version: '0',
  protocol: 1,
  pid: 1,
  startedAt: '2026-01-01T00:00:00.000Z',
  uptimeMs: 0,
  ready: false,
  bootPhase: 'recovery',
  bootProgress: null,
  sources: [],
  queue: { running: [], queued: [], queuedCount: 0 },
  repository: null,
  schedules: [],
  lastRecovery: null,
  warnings: [],
  ...fields,
});

const sourceWith = (state: string, needsOperator = false) => ({
  id: 'app',
  name: 'app',
  roots: [],
  databases: [{ path: '/a.db', state, reason: null, checkedAt: null, reportId: null }],
  watch: { mode: 'off', reason: null },
  lastSnapshot: null,
  lastGoodSnapshotAt: null,
  lastVerifiedAt: null,
  pendingChangeSince: null,
  needsOperator,
});

describe('holdfast recover --if-needed', () => {
  const gate = ['recover', '--if-needed'];

  it('opens after an offline recovery that left every database fit, and only then', async () => {
    expect((await offlineLine(gate)).exitCode).toBe(0);
    expect((await offlineLine(gate, 'warn')).exitCode).toBe(0);
    const unfit = await offlineLine(gate, 'unfit');
    expect(unfit.exitCode).toBe(EXIT.failed);
    expect(unfit.stderr).toContain('Not every database is fit');
  });

  it('tries again where a daemon that has no socket yet holds the lock', async () => {
    expect((await offlineLine(gate, 'locked')).exitCode).toBe(0);
    expect(existsSync(join(directory, 'was-locked'))).toBe(true);
  });

  it('other commands are refused there at once', async () => {
    expect((await offlineLine(['backup'], 'locked')).exitCode).toBe(EXIT.busy);
  });

  async function online(script: Parameters<typeof startScriptedDaemon>[0]) {
    daemon = await startScriptedDaemon(script);
    return runLine([...gate, '--json'], { environment: { HOLDFAST_SOCKET: daemon.socketPath } });
  }

  it.each([
    ['ok', false, 0],
    ['recovered', false, 0],
    ['busy', false, 0],
    ['needs-operator', true, 1],
    ['regressed', false, 1],
  ] as const)(
    'waits for a booting daemon and judges by what it found: %s',
    async (state, needsOperator, exitCode) => {
      let asked = 0;
      const result = await online({
        'daemon.status': () => {
          asked += 1;
          const booting = status({ bootProgress: { message: 'checking', done: 0, total: 1 } });
          return asked < 3
            ? booting
            : status({ bootPhase: 'repository', sources: [sourceWith(state, needsOperator)] });
        },
      });
      expect(result.exitCode).toBe(exitCode);
      expect(result.document).toMatchObject({ fit: exitCode === 0, databases: [{ state }] });
      expect(asked).toBe(3);
    },
  );

  it('C-18: stays shut where the daemon cannot make a database that is not there yet', async () => {
    const message = 'Cannot bootstrap "data/app.db of app": no such alias';
    const failed = { code: 'BOOTSTRAP_FAILED', message, sourceId: 'app' };
    let asked = 0;
    const result = await online({
      'daemon.status': () => {
        asked += 1;
        return status({ bootPhase: 'bootstrap', warnings: asked < 3 ? [] : [failed] });
      },
    });
    expect(result.exitCode).toBe(EXIT.failed);
    expect(result.document).toMatchObject({ fit: false, error: { code: 'NOT_READY', message } });
    expect(asked).toBe(3);
  });

  it('asks a running daemon, and does not open when the job fails', async () => {
    const ready = { 'daemon.status': () => status({ ready: true, bootPhase: 'ready' }) };
    const submit = {
      'recovery.run': () => ({ job: scriptedJob({ kind: 'recover' }), coalesced: false }),
    };
    const end = {
      kind: 'recover',
      status: 'succeeded',
      result: { ok: true, sources: {} },
    } as const;
    const passed = await online({ ...ready, ...submit, ...followScript(end) });
    expect(passed.exitCode).toBe(0);
    await daemon?.stop();
    const error = { code: 'WORKER_CRASHED', message: 'x', retryable: false } as const;
    const failed = await online({
      ...ready,
      ...submit,
      ...followScript({ kind: 'recover', status: 'failed', error }),
    });
    expect(failed.exitCode).toBe(EXIT.failed);
    expect(failed.document).toMatchObject({ fit: false, error });
  });
});
