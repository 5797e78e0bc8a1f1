import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { filesIn } from '../../support/tree.ts';
import { takeKnown, writeApplication } from './application.ts';
import { encrypted } from './backups.ts';
import { scenarioOf, type World } from './standing.ts';

/** A repository comes into being whole, and never without a key that opens it. */

async function makeEncrypted(world: World): Promise<void> {
  writeApplication(world.bench.data, 1);
  await world.bench.configure({}, encrypted(world));
  await world.bench.work({ kind: 'init', params: { encrypt: true } });
  await takeKnown(world);
}

const slots = ({ bench }: World): number =>
  filesIn(join(bench.repository, 'keys')).filter((name) => !name.startsWith('.')).length;

const spareKey = ({ bench }: World): string => join(bench.elsewhere, 'spare');

async function addSpare(world: World): Promise<string> {
  writeFileSync(spareKey(world), 'ab'.repeat(32), { mode: 0o600 });
  const added = await world.bench.work({
    kind: 'key',
    params: { action: 'add', kind: 'keyFile', path: spareKey(world) },
  });
  return added['added'].id;
}

let spare: string;

export const repositories = [
  scenarioOf({
    name: 'repository made',
    async setUp({ bench }) {
      writeApplication(bench.data, 1);
      await bench.configure();
    },
    async run({ bench }) {
      await bench.work({ kind: 'init', params: {} });
    },
  }),
  scenarioOf({
    name: 'encrypted repository made',
    async setUp(world) {
      writeApplication(world.bench.data, 1);
      await world.bench.configure({}, encrypted(world));
    },
    async run({ bench }) {
      await bench.work({ kind: 'init', params: { encrypt: true } });
    },
    async again({ bench }) {
      await bench.here({ kind: 'init', params: { encrypt: true } });
    },
  }),
  scenarioOf({
    name: 'key added',
    async setUp(world) {
      await makeEncrypted(world);
      writeFileSync(spareKey(world), 'ab'.repeat(32), { mode: 0o600 });
    },
    async run(world) {
      await addSpare(world);
      world.bench.acknowledge('key');
    },
    async outcome(world, { acknowledged }) {
      expect([1, 2]).toContain(slots(world));
      if (acknowledged.has('key')) expect(slots(world)).toBe(2);
    },
  }),
  scenarioOf({
    name: 'key removed',
    async setUp(world) {
      await makeEncrypted(world);
      spare = await addSpare(world);
    },
    async run(world) {
      await world.bench.work({ kind: 'key', params: { action: 'remove', keyId: spare } });
      world.bench.acknowledge('key');
    },
    async outcome(world, { acknowledged }) {
      expect([1, 2]).toContain(slots(world));
      if (acknowledged.has('key')) expect(slots(world)).toBe(1);
    },
  }),
];
