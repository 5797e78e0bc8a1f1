import { describe, expect, it } from 'vitest';
import { kinds } from '../testing/damage/kinds.ts';
import { describeShape, shapeOf } from '../testing/damage/shape.ts';
import { Trial } from '../testing/damage/trial.ts';
import { World } from '../testing/damage/world.ts';

/** By the seed of a world: kinds of damage that healing must be able to undo there, and others. */
const WORLDS = [
  [1, ['table leaf zeroed', 'schema leaf zeroed', 'cut at a page', 'header garbled']],
  [2, ['table leaf garbled', 'table interior zeroed', 'page 1 zeroed', 'two pages swapped']],
  [4, ['WITHOUT ROWID leaf zeroed', 'overflow page zeroed', '64 KiB zeroed']],
] as const;

describe('healing a database that was written to since the snapshot', () => {
  it.each(
    WORLDS.map(([seed, names]) => [describeShape(shapeOf(seed, true)), seed, names] as const),
  )(
    'makes up no row, and loses no more than going back: %s',
    async (_what, seed, names) => {
      const world = await World.create(shapeOf(seed, true));
      const healed: string[] = [];
      try {
        for (const kind of kinds.filter(({ name }) => names.some((each) => each === name))) {
          const trial = await Trial.start(world, kind);
          if (trial === null) continue;
          const verdicts = await trial.judgeCandidates();
          const heal = verdicts.find(({ name }) => name === 'heal');
          const rollBack = verdicts.find(({ name }) => name === 'roll-back');
          if (heal === undefined) continue;
          healed.push(kind.name);
          expect(heal, kind.name).toMatchObject({ fabricated: 0, altered: 0 });
          expect(heal.wrong, kind.name).toBeLessThanOrEqual(rollBack!.wrong);
          // What is chosen over it loses no more; where it is chosen, nothing else loses less.
          expect(verdicts[0]!.wrong, kind.name).toBeLessThanOrEqual(heal.wrong);
        }
        expect(healed.length).toBeGreaterThan(1);
      } finally {
        await world.remove();
      }
    },
    60_000,
  );
});
