import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { durableStep } from '../../files/durable-steps.ts';
import { countSteps, dieAtStep } from '../../files/testing/dying-process.ts';
import { systemClock } from '../../kernel/clock.ts';
import { recordProof } from '../../kernel/testing/record-proof.ts';
import { EMPTY_NOTES } from '../manifests/manifest.ts';
import {
  addKeySlot,
  type HeadMemory,
  listKeySlots,
  openReader,
  removeKeySlot,
  rotateKeySlot,
} from '../repository.ts';
import { encryptedRepository, testKey } from '../testing/encrypted-repository.ts';
import { slotKey, TestMemory } from '../testing/head-history.ts';
import { commitFile, rowBytes, writerOf } from '../testing/scratch-repository.ts';

/** HOLDFAST_TEST_EVERY_STEP stops at every step, before and after it; otherwise at each ninth, HOLDFAST_TEST_SEED choosing. */
const everyStep = process.env['HOLDFAST_TEST_EVERY_STEP'] === '1';
const seed = Number(process.env['HOLDFAST_TEST_SEED'] ?? Math.floor(Math.random() * 1e6));

/** Remembers durably, as a process that may die does. */
class DyingMemory extends TestMemory {
  override remember(mark: Parameters<HeadMemory['remember']>[0]): Promise<void> {
    return durableStep('write', 'memory', () => super.remember(mark));
  }
}

let template: Awaited<ReturnType<typeof encryptedRepository>>;
let path: string;
let ids: string[];
let slot: string;
let seen: TestMemory['seen'];

beforeAll(async () => {
  template = await encryptedRepository();
  const memory = new TestMemory();
  const writer = await writerOf(template.path, { key: testKey, memory });
  ids = [];
  for (let at = 0; at < 3; at += 1) {
    ids.push((await commitFile(writer, rowBytes(2_000, at), null, at)).id);
    await writer.writeNotes(ids[at]!, { ...EMPTY_NOTES, tags: [`t${at}`] });
  }
  await writer.close();
  const options = { clock: systemClock, lockWaitMs: 0, key: testKey, memory };
  slot = (await addKeySlot(template.path, slotKey(1), options)).id;
  seen = memory.seen;
  path = join(template.path, '..', 'copy');
});
let stops = 0;
afterAll(async () => {
  await template.dispose();
  if (everyStep) recordStops();
});

function recordStops(): void {
  recordProof({
    suite: 'encryption-head',
    promise:
      'A crash of Holdfast itself is never taken for a deed of somebody else, and no crash while keys change locks anybody out.',
    how: 'Snapshots, notes, removals, new, removed and rotated keys were stopped before and after every durable step; the repository was held against its head then, and after the next writer.',
    command: 'npm run test:encryption',
    figures: { 'points cut': stops, scenarios: Object.keys(scenarios).length },
    failures: 0,
    seeds: 'none',
  });
}

const keyOptions = (memory: HeadMemory) => ({
  clock: systemClock,
  lockWaitMs: 0,
  key: testKey,
  memory,
});

const scenarios: Record<string, (memory: HeadMemory) => Promise<void>> = {
  async writer(memory) {
    const writer = await writerOf(path, { key: testKey, memory });
    try {
      const { id } = await commitFile(writer, rowBytes(2_000, 9), null, 9);
      await writer.writeNotes(id, { ...EMPTY_NOTES, pinned: true });
      await writer.writeNotes(ids[0]!, { ...EMPTY_NOTES, tags: ['another'] });
      await writer.removeSnapshots([ids[1]!, ids[2]!]);
    } finally {
      await writer.close();
    }
  },
  async keys(memory) {
    await addKeySlot(path, slotKey(2), keyOptions(memory));
    await removeKeySlot(path, slot, keyOptions(memory));
  },
  async rotation(memory) {
    await rotateKeySlot(path, slotKey(3), null, keyOptions(memory));
  },
};

async function findings(memory: TestMemory): Promise<string[]> {
  for (const key of [testKey, slotKey(3)]) {
    try {
      const reader = await openReader(path, key);
      const found = await reader.compareHead(memory.seen);
      reader.close();
      return found.map(({ message }) => message);
    } catch {
      // Rotated away: the other one must open it.
    }
  }
  return ['no key opens it'];
}

async function fresh(): Promise<DyingMemory> {
  await rm(path, { recursive: true, force: true });
  await cp(template.path, path, { recursive: true });
  const memory = new DyingMemory();
  memory.seen = seen;
  return memory;
}

it.each(Object.keys(scenarios))(
  'stopped at any step of %s: nothing is said to be changed by others, then or after the next writer, and a key opens it',
  async (name) => {
    const run = scenarios[name]!;
    const whole = await fresh();
    const steps = await countSteps(() => run(whole));
    expect(await findings(whole)).toEqual([]);
    expect(whole.seen!.generation).toBeGreaterThan(seen!.generation);
    const stride = everyStep ? 1 : 9;
    for (let n = 1 + (seed % stride); n <= steps; n += stride) {
      for (const at of ['before', 'after'] as const) {
        const moment = `${at}:${n} HOLDFAST_TEST_SEED=${seed}`;
        const memory = await fresh();
        await dieAtStep(n, at, () => run(memory));
        stops += 1;
        expect(await findings(memory), moment).toEqual([]);
        if (name !== 'rotation') {
          const writer = await writerOf(path, { key: testKey, memory });
          await writer.close();
          expect(await findings(memory), moment).toEqual([]);
          continue;
        }
        // Done again, or begun where it was stopped: one slot less, one more.
        const done = await openReader(path, testKey).then(
          (reader) => reader.close(),
          () => 'rotated',
        );
        if (done !== 'rotated') await run(memory);
        expect(await findings(memory), moment).toEqual([]);
        expect((await listKeySlots(path)).slots, moment).toHaveLength(2);
      }
    }
  },
  everyStep ? 600_000 : 60_000,
);
