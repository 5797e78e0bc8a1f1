import { join } from 'node:path';
import { expect } from 'vitest';
import { listed } from '../promises.ts';
import { takeKnown, writeApplication } from './application.ts';
import { type ScenarioSpec, scenarioOf, type World } from './standing.ts';

/** A snapshot that was reported is listed; one that was not is listed whole, or not at all. */

async function backUp(world: World): Promise<void> {
  await takeKnown(world);
  world.bench.acknowledge('backup');
}

const required: ScenarioSpec['required'] = ({ truth, before }, { acknowledged }) =>
  acknowledged.has('backup') ? truth.keys() : before;

/** A key file that `repository init --encrypt` makes. */
export const encrypted = (world: World): Record<string, unknown> => ({
  repositoryKey: { keyFile: join(world.bench.elsewhere, 'key') },
});

export const backups = [
  scenarioOf({
    name: 'first backup',
    async setUp({ bench }) {
      writeApplication(bench.data, 1);
      await bench.configure();
    },
    run: backUp,
    required,
  }),
  scenarioOf({
    name: 'second backup',
    async setUp(world) {
      writeApplication(world.bench.data, 1);
      await world.bench.configure();
      await takeKnown(world);
      writeApplication(world.bench.data, 2);
    },
    run: backUp,
    required,
  }),
  scenarioOf({
    name: 'encrypted backup',
    async setUp(world) {
      writeApplication(world.bench.data, 1);
      await world.bench.configure({}, encrypted(world));
      await world.bench.work({ kind: 'init', params: { encrypt: true } });
      await takeKnown(world);
      writeApplication(world.bench.data, 2);
    },
    run: backUp,
    required,
  }),
  scenarioOf({
    name: 'notes of a snapshot',
    async setUp(world) {
      writeApplication(world.bench.data, 1);
      await world.bench.configure();
      await takeKnown(world);
    },
    async run({ bench, truth }) {
      const [snapshotId] = truth.keys();
      await bench.work({
        kind: 'annotate',
        params: { snapshotIds: [snapshotId], pinned: true, addTags: ['kept'] },
      });
      bench.acknowledge('notes');
    },
    async outcome({ bench, truth }, { acknowledged }) {
      const [snapshotId] = truth.keys();
      expect(await listed(bench)).toEqual([snapshotId]);
      const deleting = bench.here({
        kind: 'delete',
        params: { snapshotIds: [snapshotId], force: true },
      });
      if (acknowledged.has('notes'))
        await expect(deleting).rejects.toMatchObject({ code: 'IN_USE' });
      else await deleting.catch(() => {});
    },
  }),
  scenarioOf({
    name: 'catalog rebuilt',
    async setUp(world) {
      writeApplication(world.bench.data, 1);
      await world.bench.configure();
      await takeKnown(world);
    },
    async run({ bench }) {
      await bench.work({ kind: 'rebuild' });
    },
  }),
];
