import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { JobRequest } from '../bench.ts';
import { rowsOf, takeKnown, writeApplication } from './application.ts';
import { scenarioOf, type World } from './standing.ts';

/** What leaves as a file is there whole, or not at all; and the same command can be given again. */

interface Output {
  readonly name: string;
  /** Of the file, in the folder for what goes elsewhere. */
  readonly file: string;
  readonly job: (world: World, to: string) => JobRequest;
}

const sourceId = 'app';

function output({ name, file, job }: Output) {
  let whole: Buffer;
  const place = ({ bench }: World): string => join(bench.elsewhere, file);
  return scenarioOf({
    name,
    async setUp(world) {
      writeApplication(world.bench.data, 1);
      await world.bench.configure();
      await takeKnown(world);
    },
    async run(world) {
      await world.bench.work(job(world, place(world)));
      world.bench.acknowledge('written');
    },
    async learn(world) {
      whole = readFileSync(place(world));
    },
    async outcome(world, { acknowledged }) {
      const { bench } = world;
      const stands = existsSync(place(world));
      if (acknowledged.has('written')) expect(stands).toBe(true);
      if (stands) expect(readFileSync(place(world)).equals(whole)).toBe(true);
      else await bench.here(job(world, place(world)));
      expect(readdirSync(bench.elsewhere).filter((each) => each.startsWith('.'))).toEqual([]);
    },
  });
}

function exportOf(format: string, database?: string): Output['job'] {
  return ({ truth }, path) => {
    const [snapshotId] = truth.keys();
    const to = { type: 'file', path };
    const named = database === undefined ? {} : { database };
    return { kind: 'export', params: { snapshotId, format, to, ...named } };
  };
}

const artifactSettings = { database: 'data/app.db', alias: 'snapshots/latest' };
const storeOf = ({ bench }: World): string => join(bench.disk, 'store');
const withStore = (world: World) => ({
  artifacts: { store: { type: 'file', path: storeOf(world) } },
});

/** An artifact that the alias names can be verified, at any time. */
async function verifyPublished({ bench }: World): Promise<boolean> {
  const store = join(bench.disk, 'store', 'snapshots', 'latest');
  if (!existsSync(store)) return false;
  const verified = await bench.here({
    kind: 'artifact',
    params: { action: 'verify', ref: 'snapshots/latest' },
  });
  expect(verified).toBeDefined();
  return true;
}

let rows: string;

export const outputs = [
  output({ name: 'database exported', file: 'app.db', job: exportOf('db', 'data/app.db') }),
  output({ name: 'SQL text exported', file: 'app.sql', job: exportOf('sql', 'data/app.db') }),
  output({ name: 'archive exported', file: 'app.tar', job: exportOf('tar') }),
  scenarioOf({
    name: 'artifact published',
    async setUp(world) {
      writeApplication(world.bench.data, 1);
      await world.bench.configure({ artifacts: [artifactSettings] }, withStore(world));
      await takeKnown(world);
      await world.bench.work({ kind: 'publish', params: { sourceId, snapshotId: 'latest' } });
      writeApplication(world.bench.data, 2);
      await takeKnown(world);
    },
    async run({ bench }) {
      await bench.work({ kind: 'publish', params: { sourceId, snapshotId: 'latest' } });
      bench.acknowledge('published');
    },
    async outcome(world) {
      expect(await verifyPublished(world)).toBe(true);
      await world.bench.here({ kind: 'publish', params: { sourceId, snapshotId: 'latest' } });
      expect(await verifyPublished(world)).toBe(true);
    },
  }),
  scenarioOf({
    name: 'database made from an artifact',
    async setUp(world) {
      const { bench } = world;
      writeApplication(bench.data, 1);
      await bench.configure({ artifacts: [artifactSettings] }, withStore(world));
      await bench.work({ kind: 'publish', params: { sourceId } });
      rows = rowsOf(join(bench.data, 'app.db'));
      // A new installation, with nothing but the store.
      for (const path of [bench.data, bench.state, bench.repository]) {
        rmSync(path, { recursive: true });
      }
      const bootstrap = { ...artifactSettings, bootstrapRef: 'snapshots/latest' };
      await bench.configure({ artifacts: [bootstrap] }, withStore(world));
    },
    async run({ bench }) {
      await bench.work({ kind: 'bootstrap' });
      bench.acknowledge('made');
    },
    async outcome({ bench }, { acknowledged }) {
      const path = join(bench.data, 'app.db');
      if (acknowledged.has('made')) expect(existsSync(path)).toBe(true);
      if (existsSync(path)) expect(rowsOf(path)).toBe(rows);
      else await bench.here({ kind: 'bootstrap' });
      expect(rowsOf(path)).toBe(rows);
    },
  }),
];
