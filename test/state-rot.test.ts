import { cpSync, existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordProof } from '../src/kernel/testing/record-proof.ts';
import {
  chosenOf,
  DAMAGES,
  type Damage,
  damageFile,
  seededRandom,
} from '../src/operations/testing/rot-damage.ts';
import { type RunningDaemon, Sandbox, stopChild } from './support/sandbox.ts';
import { treeHashes } from './support/tree.ts';

/**
 * Promise: whatever of the daemon's own state rots, nothing of the application and no snapshot is lost by it: the daemon
 * starts, or ends with a reason that names the file, and goes on once that was removed as the manual says.
 */

const COUNT = Number(process.env['HOLDFAST_TEST_DAMAGES'] ?? 3);
const SEED = Number(process.env['HOLDFAST_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 30));

let sandbox: Sandbox;
let snapshots: readonly { readonly id: string; readonly hashes: Record<string, string> }[];
let pristine: string;
/** Of an earlier moment, for files that went back in time. */
let earlier: string;
let live: Record<string, string>;

function change(text: string): void {
  const database = new Database(join(sandbox.data, 'app.db'));
  database.exec('CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT)');
  database.prepare('INSERT INTO rows (text) VALUES (?)').run(text);
  database.close();
  writeFileSync(join(sandbox.data, 'settings.txt'), text);
}

async function take(text: string) {
  change(text);
  const { stats } = await sandbox.json(['backup', 'app', '--wait']);
  return { id: stats.snapshotId as string, hashes: treeHashes(sandbox.data) };
}

beforeAll(async () => {
  console.log(`HOLDFAST_TEST_SEED=${SEED}`);
  sandbox = new Sandbox();
  await sandbox.configure({
    schedules: [{ id: 'nightly', kind: 'backup', trigger: '0 3 * * *' }],
  });
  const daemon = await sandbox.start();
  const first = await take('one');
  earlier = join(sandbox.root, 'earlier');
  cpSync(sandbox.state, earlier, { recursive: true });
  const second = await take('two');
  snapshots = [first, second];
  await sandbox.json(['pin', first.id]);
  change('three');
  await sandbox.json(['restore', second.id, '--in-place', '--yes']);
  live = treeHashes(sandbox.data);
  // Its log is not folded in: what a crash leaves is damaged as well.
  await stopChild(daemon.process, 'SIGKILL');
  pristine = join(sandbox.root, 'pristine');
  cpSync(sandbox.state, pristine, { recursive: true });
}, 120_000);
afterAll(() => sandbox?.dispose());

/** Files of the daemon's own; originals in quarantine are somebody's data, kept as they were found. */
function ownFiles(): string[] {
  const names = readdirSync(sandbox.state, { recursive: true }) as string[];
  return names
    .filter((name) => statSync(join(sandbox.state, name)).isFile())
    .filter((name) => !/^quarantine\/[^/]+\/.+\//.test(name) && !name.endsWith('-shm'))
    .sort();
}

interface Trial {
  readonly file: string;
  readonly damage: Damage;
  outcome: 'told' | 'started' | 'refused';
  failure: string | null;
}

/** Draws until there is something to be damaged in the way that was drawn. */
function damageOne(random: () => number): { file: string; damage: Damage } {
  for (;;) {
    const file = chosenOf(random, ownFiles());
    const damage = chosenOf(random, DAMAGES);
    const older = join(earlier, file);
    const aids = { twin: null, older: existsSync(older) ? older : null };
    if (damageFile(join(sandbox.state, file), damage, random, aids)) return { file, damage };
  }
}

async function tryDamage(seed: number): Promise<Trial> {
  const random = seededRandom(seed);
  rmSync(sandbox.state, { recursive: true });
  cpSync(pristine, sandbox.state, { recursive: true });
  const { file, damage } = damageOne(random);
  const trial: Trial = { file, damage, outcome: 'started', failure: null };
  try {
    await expectGoingOn(trial);
  } catch (error) {
    trial.failure = error instanceof Error ? error.message : String(error);
  }
  return trial;
}

async function expectGoingOn(trial: Trial): Promise<void> {
  const daemon = await startOrRemove(trial);
  try {
    const status = await sandbox.json(['status']);
    if (status.warnings.length > 0 && trial.outcome === 'started') trial.outcome = 'told';
    expect(treeHashes(sandbox.data), 'the live data').toEqual(live);
    for (const { id, hashes } of snapshots) {
      expect((await sandbox.json(['show', id])).id, 'the snapshot that is shown').toBe(id);
      const target = join(sandbox.root, 'restored');
      await sandbox.json(['restore', id, '--to', target]);
      expect(treeHashes(join(target, 'data')), `snapshot ${id}`).toEqual(hashes);
      rmSync(target, { recursive: true });
    }
    await sandbox.json(['backup', 'app', '--wait']);
  } finally {
    await stopChild(daemon.process, 'SIGKILL');
  }
}

/** One that ends must say why, and of which file; without that file it starts. */
async function startOrRemove(trial: Trial): Promise<RunningDaemon> {
  const daemon = sandbox.launch();
  const first = await Promise.race([daemon.logged('ready'), daemon.ended]);
  if ('msg' in first) return daemon;
  trial.outcome = 'refused';
  const words = JSON.stringify(daemon.log.at(-1));
  expect(words, 'its last words').toContain(trial.file.split('/').at(-1)!.replace(/-wal$/, ''));
  expect(words, 'its last words').toMatch(/"hint"/);
  rmSync(join(sandbox.state, trial.file), { force: true });
  return sandbox.start();
}

describe('rot of the state directory', () => {
  it('Z-22, F-D9: whatever of it is damaged in whatever way, no snapshot, no file of the application is lost, and work goes on', {
    timeout: 60_000 + COUNT * 60_000,
  }, async () => {
    const trials: Trial[] = [];
    for (let seed = SEED; seed < SEED + COUNT; seed += 1) {
      const trial = await tryDamage(seed);
      trials.push(trial);
      if (trial.failure !== null) console.log(seed, JSON.stringify(trial, null, 1));
      if (trials.length % 50 === 0) console.log(`${trials.length} damages`);
    }
    const failed = trials.flatMap(({ failure }, at) => (failure === null ? [] : [SEED + at]));
    const count = (outcome: Trial['outcome']): number =>
      trials.filter((trial) => trial.outcome === outcome).length;
    recordProof({
      suite: 'rot-of-state',
      promise:
        'Whatever of the daemon’s own state rots, no snapshot and nothing of the application is lost, and work goes on.',
      how: 'One file of the state directory that a killed daemon left (database, log, locks, marks, records) is damaged (bits, bytes, sectors, cut, lengthened, turned back, removed). The daemon is started; live data, the list of snapshots and every restore are compared, and a backup is taken.',
      command: 'npm run test:rot-of-state',
      figures: {
        'files damaged': trials.length,
        'different files': new Set(trials.map(({ file }) => file)).size,
        'started, and told of it': count('told'),
        'started, nothing being lost': count('started'),
        'ended with a reason, and started without the file': count('refused'),
      },
      failures: failed.length,
      seeds: `HOLDFAST_TEST_SEED=${SEED} HOLDFAST_TEST_DAMAGES=${COUNT}`,
    });
    expect(failed, 'seeds of the failures').toEqual([]);
  });
});
