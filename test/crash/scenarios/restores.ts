import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { listQuarantine, quarantinePath } from '../../../src/files/quarantine/quarantine.ts';
import type { CutBench } from '../bench.ts';
import { dataPicture, listed, type Picture } from '../promises.ts';
import {
  applicationOf,
  rowsOf,
  takeKnown,
  writeApplication,
  writeRowsIntoLog,
} from './application.ts';
import { scenarioOf, type World } from './standing.ts';

/** The whole old application or the whole new one, never a mixture; and the old one is kept. */

interface Sides {
  readonly world: World;
  readonly old: Picture;
  readonly fresh: Picture;
  readonly snapshotId: string;
}

/** A snapshot of version 1; version 2 stands there, half of it in a log that nobody has folded in. */
async function twoVersions(world: World): Promise<Sides> {
  const { bench } = world;
  writeApplication(bench.data, 1);
  await bench.configure();
  const fresh = applicationOf(bench.data);
  const snapshotId = await takeKnown(world);
  writeApplication(bench.data, 2);
  writeRowsIntoLog(join(bench.data, 'app.db'), 3);
  const copy = join(bench.home, 'old');
  cpSync(bench.data, copy, { recursive: true, verbatimSymlinks: true });
  const old = applicationOf(copy);
  rmSync(copy, { recursive: true });
  return { world, old, fresh, snapshotId };
}

/** What was replaced lies in quarantine, and opens as what it was. */
export async function expectQuarantined(bench: CutBench, rows: string): Promise<void> {
  const kept: string[] = [];
  for (const { id, items } of await listQuarantine(bench.state)) {
    const item = items.find(({ target }) => target === join(bench.data, 'app.db'));
    if (item === undefined) continue;
    const copy = join(bench.home, 'quarantined');
    mkdirSync(copy);
    for (const { name, stored } of item.members) {
      if (!name.endsWith('-shm'))
        cpSync(join(quarantinePath(bench.state, id), stored), join(copy, name));
    }
    kept.push(rowsOf(join(copy, 'app.db')));
    rmSync(copy, { recursive: true });
  }
  expect(kept).toContain(rows);
}

/** True: the new side stands there. */
async function expectOneSide({ world, old, fresh }: Sides): Promise<boolean> {
  const { bench } = world;
  const now = applicationOf(bench.data);
  if (now['app'] !== fresh['app']) {
    expect(now).toEqual(old);
    return false;
  }
  expect(now).toEqual(fresh);
  await expectQuarantined(bench, old['app']!);
  return true;
}

let sides: Sides;

/** Snapshots that were taken of what was about to be replaced: each holds the database as it was. */
export async function learnCheckpoints({ bench, truth }: World, rows: string): Promise<void> {
  for (const id of await listed(bench)) {
    if (truth.has(id)) continue;
    const path = join(bench.home, 'checkpoint');
    const target = { type: 'directory', path };
    await bench.here({
      kind: 'restore',
      params: { snapshotId: id, target, check: 'none', migrate: false },
    });
    truth.set(id, dataPicture(join(path, 'data')));
    expect(rowsOf(join(path, 'data', 'app.db'))).toBe(rows);
    rmSync(path, { recursive: true });
  }
}

function inPlace(name: string, params: Record<string, unknown>, replaced?: string) {
  return scenarioOf({
    name,
    async setUp(world) {
      sides = await twoVersions(world);
      const { old, fresh } = sides;
      if (replaced !== undefined)
        sides = { ...sides, fresh: { ...old, [replaced]: fresh[replaced]! } };
    },
    async run({ bench }) {
      const target = { type: 'in-place' };
      const { snapshotId } = sides;
      await bench.work({
        kind: 'restore',
        params: { snapshotId, target, replaceDatabases: true, ...params },
      });
      bench.acknowledge('restore');
    },
    learn: (world) => learnCheckpoints(world, sides.old['app']!),
    async outcome(_world, { acknowledged }) {
      const isNew = await expectOneSide(sides);
      if (acknowledged.has('restore')) expect(isNew).toBe(true);
    },
  });
}

export const restores = [
  inPlace('restore in place', { checkpoint: false }),
  inPlace('restore in place with a checkpoint', {}),
  inPlace('mirror in place', { checkpoint: false, mode: 'mirror' }),
  inPlace('restore of one database', { checkpoint: false, paths: ['data/app.db'] }, 'app'),
  scenarioOf({
    name: 'restore to a directory',
    async setUp(world) {
      sides = await twoVersions(world);
    },
    async run({ bench }) {
      const path = join(bench.elsewhere, 'restored');
      const { snapshotId } = sides;
      await bench.work({
        kind: 'restore',
        params: { snapshotId, target: { type: 'directory', path } },
      });
      bench.acknowledge('restore');
    },
    async outcome({ bench, truth }, { acknowledged }) {
      expect(await expectOneSide(sides)).toBe(false);
      const path = join(bench.elsewhere, 'restored');
      if (acknowledged.has('restore')) {
        expect(dataPicture(join(path, 'data'))).toEqual(truth.get(sides.snapshotId));
      }
    },
  }),
  scenarioOf({
    name: 'restore staged',
    async setUp(world) {
      sides = await twoVersions(world);
    },
    async run({ bench }) {
      const { snapshotId } = sides;
      await bench.work({
        kind: 'stage',
        params: { snapshotId, replaceDatabases: true, checkpoint: false },
      });
      bench.acknowledge('staged');
    },
    async outcome({ bench }, { acknowledged }) {
      expect(await expectOneSide(sides)).toBe(false);
      await bench.here({ kind: 'apply', params: { automatic: true } });
      const isNew = await expectOneSide(sides);
      if (acknowledged.has('staged')) expect(isNew).toBe(true);
    },
  }),
  scenarioOf({
    name: 'staged restore applied',
    async setUp(world) {
      sides = await twoVersions(world);
      const { snapshotId } = sides;
      await world.bench.work({
        kind: 'stage',
        params: { snapshotId, replaceDatabases: true, checkpoint: false },
      });
    },
    async run({ bench }) {
      await bench.work({ kind: 'apply', params: { automatic: true } });
      bench.acknowledge('applied');
    },
    async outcome({ bench }, { acknowledged }) {
      const isNew = await expectOneSide(sides);
      if (acknowledged.has('applied')) expect(isNew).toBe(true);
      await bench.here({ kind: 'apply', params: { automatic: true } });
      expect(await expectOneSide(sides)).toBe(true);
    },
  }),
];
