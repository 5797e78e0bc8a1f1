import { expect } from 'vitest';
import { listed } from '../promises.ts';
import { takeKnown, writeApplication } from './application.ts';
import { scenarioOf, type World } from './standing.ts';

/** What is kept stays whole; what was removed stays removed, once that was reported. */

const RETENTION = { keepLast: 1 };

/** Four snapshots, oldest first. */
async function four(world: World): Promise<void> {
  const { bench } = world;
  writeApplication(bench.data, 1);
  await bench.configure({ retention: RETENTION }, { prune: { graceMs: 0 } });
  for (const version of [1, 2, 3, 4]) {
    writeApplication(bench.data, version);
    await takeKnown(world);
  }
}

const kept = ({ before }: World, count: number): string[] => [...before].slice(-count);

/** Listed after the recorded run. */
let left: string[];

export const removals = [
  scenarioOf({
    name: 'forget',
    setUp: four,
    async run({ bench }) {
      await bench.work({ kind: 'forget' });
      bench.acknowledge('forget');
    },
    async learn({ bench }) {
      left = await listed(bench);
      expect(left.length).toBeLessThan(4);
    },
    required: () => left,
    async outcome({ bench }, { acknowledged }) {
      if (acknowledged.has('forget')) expect(await listed(bench)).toEqual(left);
    },
  }),
  scenarioOf({
    name: 'delete',
    setUp: four,
    async run({ bench, before }) {
      const snapshotIds = [...before].slice(0, 2);
      await bench.work({ kind: 'delete', params: { snapshotIds } });
      bench.acknowledge('delete');
    },
    required: (world) => kept(world, 2),
    async outcome({ bench }, { acknowledged }) {
      if (acknowledged.has('delete')) expect(await listed(bench)).toHaveLength(2);
    },
  }),
  scenarioOf({
    name: 'prune',
    async setUp(world) {
      await four(world);
      await world.bench.work({ kind: 'forget' });
      const ids = await listed(world.bench);
      for (const id of [...world.truth.keys()]) if (!ids.includes(id)) world.truth.delete(id);
    },
    async run({ bench }) {
      await bench.work({ kind: 'prune' });
    },
  }),
];
