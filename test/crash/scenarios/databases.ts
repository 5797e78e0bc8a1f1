import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { writeSteps } from '../../../src/migrations/testing/step-files.ts';
import { rowsOf, takeKnown, writeApplication, writeRows } from './application.ts';
import { expectQuarantined, learnCheckpoints } from './restores.ts';
import { type ScenarioSpec, scenarioOf, type World } from './standing.ts';

/** A database that Holdfast replaces is wholly the old one or wholly the new one, and the old one is kept. */

const appOf = ({ bench }: World): string => join(bench.data, 'app.db');

/** Rows before the run and after it. */
let old: string;
let fresh: string;

/** Of a copy, so that the original stays as it is. */
function lookAt(world: World): string {
  const copy = join(world.bench.home, 'look.db');
  cpSync(appOf(world), copy);
  try {
    return rowsOf(copy);
  } finally {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${copy}${suffix}`, { force: true });
  }
}

interface Replacement {
  readonly name: string;
  readonly setUp: (world: World) => Promise<void>;
  readonly job: (world: World) => Parameters<World['bench']['work']>[0];
}

function replacement({ name, setUp, job }: Replacement) {
  const run: ScenarioSpec['run'] = async (world) => {
    await world.bench.work(job(world));
    world.bench.acknowledge('done');
  };
  return scenarioOf({
    name,
    async setUp(world) {
      await setUp(world);
      old = lookAt(world);
    },
    run,
    async learn(world) {
      fresh = lookAt(world);
      expect(fresh).not.toBe(old);
      await learnCheckpoints(world, old);
    },
    async outcome(world, { acknowledged }) {
      const now = rowsOf(appOf(world));
      expect([old, fresh]).toContain(now);
      if (acknowledged.has('done')) expect(now).toBe(fresh);
      if (now === fresh) return expectQuarantined(world.bench, old);
      await world.bench.here(job(world));
      expect(rowsOf(appOf(world))).toBe(fresh);
    },
  });
}

async function protectedApplication(world: World, source = {}): Promise<void> {
  writeApplication(world.bench.data, 1);
  await world.bench.configure(source);
  await takeKnown(world);
}

/** Rows of version 2, somewhere else. */
const incoming = ({ bench }: World): string => join(bench.elsewhere, 'incoming.db');

const lines = ({ bench }: World): string => join(bench.elsewhere, 'rows.jsonl');

export const databases = [
  replacement({
    name: 'migration up',
    async setUp(world) {
      const directory = writeSteps(join(world.bench.home, 'steps'), {
        '1.0.0_kind.up.sql': "ALTER TABLE notes ADD COLUMN kind TEXT DEFAULT 'plain';",
        '1.0.0_kind.down.sql': 'ALTER TABLE notes DROP COLUMN kind;',
        '1.1.0_rows.up.sql': "UPDATE notes SET kind = 'even' WHERE id % 2 = 0;",
        '1.1.0_rows.down.sql': "UPDATE notes SET kind = 'plain';",
      });
      await protectedApplication(world, {
        migrations: [{ database: 'data/app.db', directory, assumeVersion: '0.0.0' }],
      });
    },
    job: () => ({ kind: 'migrate', params: { action: 'up' } }),
  }),
  replacement({
    name: 'database imported',
    async setUp(world) {
      await protectedApplication(world);
      writeRows(incoming(world), 2, 'delete');
    },
    job: (world) => ({
      kind: 'import',
      params: {
        into: 'database',
        from: incoming(world),
        sourceId: 'app',
        database: 'data/app.db',
        checkpoint: false,
      },
    }),
  }),
  replacement({
    name: 'table imported',
    async setUp(world) {
      await protectedApplication(world);
      const rows = Array.from({ length: 40 }, (_, index) => ({
        id: index + 20,
        version: 9,
        body: `imported ${index}`,
      }));
      writeFileSync(lines(world), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    },
    job: (world) => ({
      kind: 'import',
      params: {
        into: 'tables',
        from: lines(world),
        sourceId: 'app',
        database: 'data/app.db',
        mode: 'upsert',
        table: 'notes',
      },
    }),
  }),
];

/** Bytes of a database that a repair found. */
let damaged: Buffer;

/** Overwrites a page of rows. */
function damage(path: string): void {
  const bytes = readFileSync(path);
  const place = bytes.indexOf('30 of 1');
  const page = Math.floor(place / 4096) * 4096;
  bytes.fill(0x5a, page, page + 4096);
  writeFileSync(path, bytes);
}

export const recoveries = [
  scenarioOf({
    name: 'recovery of a damaged database',
    async setUp(world) {
      await protectedApplication(world);
      fresh = lookAt(world);
      damage(appOf(world));
      damaged = readFileSync(appOf(world));
    },
    async run({ bench }) {
      await bench.work({ kind: 'recover' });
      bench.acknowledge('recovered');
    },
    async outcome(world, { acknowledged }) {
      const { bench } = world;
      const isOld = readFileSync(appOf(world)).equals(damaged);
      if (acknowledged.has('recovered')) expect(isOld).toBe(false);
      // The gate before the application, whatever was done already.
      await bench.here({ kind: 'recover' });
      expect(rowsOf(appOf(world))).toBe(fresh);
      expect(await quarantinedBytes(world)).toContain(damaged.toString('base64'));
    },
  }),
];

async function quarantinedBytes({ bench }: World): Promise<string[]> {
  const { listQuarantine, quarantinePath } = await import(
    '../../../src/files/quarantine/quarantine.ts'
  );
  const records = await listQuarantine(bench.state);
  return records.flatMap(({ id, items }) =>
    items.flatMap(({ members }) =>
      members.map(({ stored }) =>
        readFileSync(join(quarantinePath(bench.state, id), stored)).toString('base64'),
      ),
    ),
  );
}
