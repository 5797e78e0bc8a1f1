import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import type { Content } from '../chunks/content.ts';
import { REPOSITORY_KINDS } from '../testing/repository-kinds.ts';
import {
  activity,
  commitFile,
  fileOf,
  noiseBytes,
  rowBytes,
} from '../testing/scratch-repository.ts';

describe.each(REPOSITORY_KINDS)(
  'of a repository: $kind;',
  ({
    scratchRepository,
    writerOf,
    openReader,
    checkRepository,
    pruneRepository,
    rebuildCatalog,
  }) => {
    type Step =
      | { readonly do: 'commit'; readonly at: number; readonly seed: number }
      | { readonly do: 'remove'; readonly which: number }
      | { readonly do: 'prune' }
      | { readonly do: 'rebuild' };

    const step: fc.Arbitrary<Step> = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          do: fc.constant('commit' as const),
          at: fc.nat(190_000),
          seed: fc.integer({ min: 1, max: 6 }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat(20) }),
      },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('prune' as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('rebuild' as const) }) },
    );

    /** What there should be: the newest image, and the snapshots that were kept. */
    class Model {
      image = Buffer.concat([rowBytes(200_000), noiseBytes(30_000)]);
      parent: Content | null = null;
      commits = 0;
      readonly kept = new Map<string, Buffer>();
      readonly #path: string;

      constructor(path: string) {
        this.#path = path;
      }

      async apply(next: Step): Promise<void> {
        if (next.do === 'prune') await this.#prune();
        else if (next.do === 'rebuild') {
          await rebuildCatalog(this.#path, { clock: systemClock }, activity);
        } else if (next.do === 'commit') await this.#commit(next.at, next.seed);
        else await this.#remove(next.which);
      }

      async #commit(at: number, seed: number): Promise<void> {
        this.image = Buffer.from(this.image);
        noiseBytes(seed * 37, seed).copy(this.image, at);
        const writer = await writerOf(this.#path);
        this.commits += 1;
        const { id, content } = await commitFile(writer, this.image, this.parent, this.commits);
        await writer.close();
        this.parent = content;
        this.kept.set(id, this.image);
      }

      async #remove(which: number): Promise<void> {
        const id = [...this.kept.keys()][which % Math.max(1, this.kept.size)];
        if (id === undefined) return;
        const writer = await writerOf(this.#path);
        await writer.removeSnapshots([id]);
        await writer.close();
        this.kept.delete(id);
        // A parent that is gone is nobody's parent.
        if (this.kept.size === 0) this.parent = null;
      }

      async #prune(): Promise<void> {
        const limits = { graceMs: 0, unusedShare: 0.1, dryRun: false, lockWaitMs: 0 };
        await pruneRepository(this.#path, { clock: systemClock, ...limits }, activity);
        if (this.kept.size === 0) this.parent = null;
      }
    }

    it('F40: whatever is taken, removed and pruned in whatever order, kept snapshots are whole', {
      timeout: 120_000,
    }, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
          const repository = await scratchRepository();
          try {
            const model = new Model(repository.path);
            for (const next of [...steps, { do: 'prune' } as const]) await model.apply(next);
            const reader = await openReader(repository.path);
            expect(new Set(reader.listSnapshots().map(({ id }) => id))).toEqual(
              new Set(model.kept.keys()),
            );
            for (const [id, image] of model.kept) {
              expect((await fileOf(reader, id)).equals(image)).toBe(true);
            }
            reader.close();
            const report = await checkRepository(repository.path, { readData: 'all' }, activity);
            expect(report.findings).toEqual([]);
          } finally {
            await repository.dispose();
          }
        }),
        { numRuns: Number(process.env['HOLDFAST_TEST_RUNS'] ?? 6) },
      );
    });
  },
);
