import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kinds } from '../testing/damage/kinds.ts';
import { describeShape, shapeOf } from '../testing/damage/shape.ts';
import { Trial } from '../testing/damage/trial.ts';
import type { Verdict } from '../testing/damage/truth.ts';
import { World } from '../testing/damage/world.ts';

/** By the seed of a world: what salvage must get back there, as the most rows that may be wrong. */
const WORLDS: readonly (readonly [number, readonly (readonly [string, number, string])[]])[] = [
  [
    1,
    [['several pages zeroed', 2, 'orphans are told from free pages though the freelist is lost']],
  ],
  [
    2,
    [
      ['checkpoint torn, WAL lost', 125, 'a page of the table that hangs in the wrong place'],
      ['cut at a page', 18, 'pages beyond those that page 1 states'],
      ['header page size wrong', 0, 'the page size is that of the pages'],
    ],
  ],
  [17, [['table root zeroed', 0, 'leaves of a WITHOUT ROWID table that hang nowhere']]],
  [10, [['checkpoint torn, WAL lost', 74, 'one row out of place that the snapshot has as it is']]],
  [12, [['checkpoint torn, WAL lost', 73, 'an older page 1 states fewer pages than there are']]],
];

describe.each(
  WORLDS.map(([seed, cases]) => [describeShape(shapeOf(seed, true)), seed, cases] as const),
)('%s', (_, seed, cases) => {
  let world: World;

  beforeAll(async () => {
    world = await World.create(shapeOf(seed, true));
  });
  afterAll(() => world.remove());

  it.each(cases)('%s: at most %i rows are wrong: %s', async (name, most) => {
    const salvage = (await verdicts(world, name)).get('salvage')!;
    expect(salvage.wrong).toBeLessThanOrEqual(most);
    expect(salvage).toMatchObject({ fabricated: 0, altered: 0 });
  });
});

async function verdicts(world: World, name: string): Promise<Map<string, Verdict>> {
  const trial = await Trial.start(world, kinds.find((kind) => kind.name === name)!);
  return new Map((await trial!.judgeCandidates()).map((each) => [each.name, each]));
}

it('rows of another table that SQLite shows in a table make a candidate lose to one without them', async () => {
  const world = await World.create(shapeOf(0, true));
  try {
    const judged = await verdicts(world, 'checkpoint torn, WAL lost');
    expect(judged.get('reindex')!.altered).toBeGreaterThan(0);
    expect(judged.get('reindex')!.wrong).toBe(judged.get('salvage')!.wrong);
    expect([...judged.keys()][0]).toBe('salvage');
    expect(judged.get('salvage')!.altered).toBe(0);
  } finally {
    await world.remove();
  }
});

it('healing takes the end of a file that was cut within an overflow page for lost, not for zeros', async () => {
  const world = await World.create(shapeOf(8, true));
  try {
    const judged = await verdicts(world, 'cut within a page');
    for (const verdict of judged.values()) expect(verdict).toMatchObject({ fabricated: 0 });
    expect([...judged.values()][0]).toMatchObject({ wrong: 0 });
  } finally {
    await world.remove();
  }
});

it('a full-text table that lost its version is damage, not a format of the future', async () => {
  const world = await World.create(shapeOf(14, true));
  try {
    const trial = await Trial.start(world, kinds.find(({ name }) => name === 'two pages swapped')!);
    expect(await trial!.recover()).toMatchObject({ state: 'recovered', wrong: 0 });
  } finally {
    await world.remove();
  }
});
