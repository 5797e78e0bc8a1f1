import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { LiveSettings } from '../config/live-settings.ts';
import { testSettings } from '../config/testing/settings.ts';
import { systemClock } from '../kernel/clock.ts';
import { silentLogger } from '../kernel/logger.ts';
import { type PendingRestore, writePending } from '../restore/pending-restore.ts';
import { StagedRestores } from './staged-restores.ts';

let directory: string;
let target: string;
let submitted: unknown[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'staged-'));
  target = join(directory, 'app.db');
  const database = new Database(target);
  database.exec('CREATE TABLE rows (word TEXT)');
  database.close();
  submitted = [];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const pending = (more: Partial<PendingRestore>): PendingRestore => ({
  id: '00000001-aaaa',
  snapshotId: 'ab',
  sourceId: 'app',
  paths: [],
  classes: [],
  mode: 'merge',
  overwrite: 'always',
  checkpoint: true,
  applyWhen: 'free',
  stagedAt: '2026-01-02T03:04:05.000Z',
  stagedBy: null,
  bytes: 0,
  state: 'staged',
  attempts: 0,
  lastError: null,
  targetRoots: [directory],
  stagingDirectories: [],
  items: [{ target, staged: '/x', logicalPath: 'data/app.db', type: 'database', family: true }],
  directories: [],
  mirrored: [],
  skipped: [],
  checked: [],
  ...more,
});

/** One look at what waits. */
async function look(): Promise<StagedRestores> {
  const staged = new StagedRestores({
    live: { current: testSettings(directory) } as LiveSettings,
    queue: { submit: (request) => submitted.push(request) as never },
    clock: systemClock,
    logger: silentLogger,
  });
  await staged.start();
  await staged.stop();
  return staged;
}

const state = (): string => join(directory, 'state');

it('F29: what was staged for it is applied when nobody has its databases open any more', async () => {
  await writePending(state(), pending({}));
  const program = fileURLToPath(new URL('../restore/testing/database-user.mjs', import.meta.url));
  const user = spawn(process.execPath, [program, target], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(user.stdout, 'data');
  await look();
  expect(submitted).toEqual([]);
  user.stdin.end();
  await once(user, 'exit');
  await look();
  expect(submitted).toMatchObject([
    { kind: 'apply', params: { id: '00000001-aaaa', automatic: true } },
  ]);
});

it('F29, Z-D18: what waits for the next start, or failed, is left; what failed is a warning', async () => {
  await writePending(state(), pending({ applyWhen: 'boot' }));
  await writePending(state(), pending({ id: '00000002-bbbb', state: 'failed', attempts: 2 }));
  const staged = await look();
  expect(submitted).toEqual([]);
  expect(staged.warnings()).toMatchObject([{ code: 'STAGED_RESTORE_FAILED', sourceId: 'app' }]);
});
