import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kinds } from './testing/damage/kinds.ts';
import { provenDeleted } from './testing/damage/proven-deleted.ts';
import { describeShape, shapeOf } from './testing/damage/shape.ts';
import { findRecoverer, recoverBySqlite } from './testing/damage/sqlite-recover.ts';
import { familyHashes, Trial } from './testing/damage/trial.ts';
import { World } from './testing/damage/world.ts';

/**
 * The promise of recovery, on generated databases whose every row is known: of all the ways out of a damage it takes
 * the one that loses least, and it makes nothing up. A sample of seeds; HOLDFAST_TEST_EVERY_STEP=1 takes twenty.
 * SQLITE3_RECOVER names a sqlite3 whose `.recover` is to lose no less.
 */

const everySeed = process.env['HOLDFAST_TEST_EVERY_STEP'] === '1';
const SEEDS = 20;
const program = process.env['SQLITE3_RECOVER'] ?? null;
const recoverer = program === null ? null : findRecoverer(program);

/** Each kind on the first, every second and third one on the others. */
const sample = [
  { shape: shapeOf(0, true), stride: 1 },
  { shape: shapeOf(2, true), stride: 2 },
  { shape: shapeOf(1, false), stride: 3 },
];
const all = Array.from({ length: SEEDS }, (_, seed) => [
  { shape: shapeOf(seed, true), stride: 1 },
  { shape: shapeOf(seed, false), stride: 1 },
]).flat();
const cases = (everySeed ? all : sample).map(
  ({ shape, stride }) => [describeShape(shape), shape, stride] as const,
);

it.skipIf(program === null)('is compared with sqlite3 .recover (SQLITE3_RECOVER)', () => {
  expect(recoverer, `${program} cannot .recover`).not.toBeNull();
});

describe.each(cases)('%s', (_, shape, stride) => {
  const chosen = kinds.filter((_kind, index) => index % stride === shape.seed % stride);
  let world: World;
  let beside: ReturnType<typeof familyHashes>;

  beforeAll(async () => {
    world = await World.create(shape);
    beside = familyHashes(world.bench.path('beside.db'));
  });
  afterAll(() => world.remove());

  it.each(chosen.filter(({ needsWrites }) => shape.written || !needsWrites))(
    '$name: loses no more than any candidate would, makes nothing up, and brings back nothing that is known to be deleted',
    async (kind) => {
      const trial = await Trial.start(world, kind);
      if (trial === null) return;
      const damaged = familyHashes(world.path);
      const candidates = await trial.judgeCandidates();
      expect(familyHashes(world.path)).toEqual(damaged);

      const bySqlite = recoverer === null ? null : recoverBySqlite(recoverer, trial);

      const outcome = await trial.recover();

      const seen = JSON.stringify({ outcome, bySqlite, candidates }, null, 1);
      if (outcome.state === 'recovered') {
        const honest = candidates.filter(({ fabricated }) => fabricated <= kind.altersAtMost);
        const least = Math.min(...honest.map(({ wrong }) => wrong));
        // A row that SQLite shows with a flipped bit may have been written so: keeping it is no fault.
        expect(outcome.wrong, seen).toBeLessThanOrEqual(least + kind.altersAtMost);
        expect(outcome.fabricated, seen).toBeLessThanOrEqual(kind.altersAtMost);
        // Going back to a snapshot is just that, and says so.
        if (!outcome.reason.startsWith('roll-back'))
          expect(outcome.provenDeleted, seen).toEqual([]);
        if (bySqlite !== null) {
          expect(outcome.wrong, seen).toBeLessThanOrEqual(bySqlite.wrong + kind.altersAtMost);
        }
      } else {
        expect(familyHashes(world.path), seen).toEqual(damaged);
        if (outcome.state === 'needs-operator') expect(candidates).toEqual([]);
        else expect(['ok', 'regressed']).toContain(outcome.state);
      }
      expect(outcome.wrong, seen).toBeGreaterThanOrEqual(trial.unrecoverableRows);
      expect(familyHashes(world.bench.path('beside.db'))).toEqual(beside);
      if (!shape.written) expect(outcome, seen).toMatchObject({ wrong: 0, resurrected: 0 });
    },
  );

  it.skipIf(!shape.written)(
    'tells rows that are known to be deleted: going back brings some back',
    () => {
      const undamaged = { main: world.after.bytes, wal: null, journal: null };
      expect(provenDeleted(world, undamaged, world.truth.snapshot)).not.toEqual([]);
      expect(provenDeleted(world, undamaged, world.truth.rows)).toEqual([]);
    },
  );

  it('leaves what is sound as it is, byte for byte', async () => {
    const { before, after, wal } = world;
    const closed = { main: after.bytes, wal: null, journal: null };
    for (const family of [closed, { main: before.bytes, wal, journal: null }]) {
      await world.place(family);
      const found = familyHashes(world.path);
      const { databases } = await world.bench.recover({ mode: 'force' });
      expect(databases.map(({ state }) => state)).toEqual(['ok', 'ok']);
      expect(familyHashes(world.path)).toEqual(found);
    }
  });
});
