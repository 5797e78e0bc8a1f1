import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { countSteps, failAtStep } from '../files/testing/dying-process.ts';
import { fileEntry, sourceOf } from './testing/manifests.ts';
import { REPOSITORY_KINDS } from './testing/repository-kinds.ts';
import {
  activity,
  commitFile,
  fileOf,
  noiseBytes,
  rowBytes,
} from './testing/scratch-repository.ts';

describe.each(REPOSITORY_KINDS)(
  'of a repository: $kind;',
  ({ key, scratchRepository, writerOf, openReader, checkRepository }) => {
    const before = rowBytes(200_000, 1);
    const after = Buffer.concat([rowBytes(200_000, 2), noiseBytes(100_000, 3)]);

    /** Commits `after` over `before` in a repository of its own, while `fault` has its way. */
    async function commitUnder(
      fault: (commit: () => Promise<unknown>) => Promise<unknown>,
    ): Promise<{ path: string; error: unknown; dispose(): Promise<void> }> {
      const { path, dispose } = await scratchRepository();
      const first = await writerOf(path);
      const { content } = await commitFile(first, before);
      await first.close();
      const error = await fault(async () => {
        const writer = await writerOf(path);
        try {
          await commitFile(writer, after, content, 1);
        } finally {
          await writer.close();
        }
      }).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      return { path, error, dispose };
    }

    it('Z-D3: a write, sync or rename that fails at any step of a commit fails the commit; what is listed is whole', async () => {
      let steps = 0;
      const sound = await commitUnder(async (commit) => {
        steps = await countSteps(commit);
      });
      await sound.dispose();
      expect(steps).toBeGreaterThan(10);
      let failed = 0;
      // Of the encrypted kind a sample.
      for (let n = 1; n <= steps; n += key === null ? 1 : 3) {
        const { path, error, dispose } = await commitUnder((commit) =>
          failAtStep(n, 'EIO', commit),
        );
        const reader = await openReader(path);
        const listed = reader.listSnapshots().map(({ id }) => id);
        // Either the caller heard of it, or the step was one that the snapshot does not depend on.
        if (error === null) expect(listed, `step ${n}`).toHaveLength(2);
        else failed += 1;
        for (const [index, id] of listed.entries()) {
          const expected = index === listed.length - 1 ? before : after;
          expect((await fileOf(reader, id)).equals(expected), `step ${n}`).toBe(true);
        }
        reader.close();
        const { findings } = await checkRepository(path, { readData: 'all' }, activity);
        expect(
          findings.filter(({ severity }) => severity === 'error'),
          `step ${n}`,
        ).toEqual([]);
        await dispose();
      }
      expect(failed).toBeGreaterThan(key === null ? 5 : 1);
    });

    it('F-D9: whoever meets the full disk first, what is thrown is that it is full, not that something is missing', async () => {
      const noise = noiseBytes(18 * 1024 * 1024, 7);
      const { path, dispose } = await scratchRepository();
      // The first pack fills up, and fails, while the last chunks wait for room in the next one.
      for (let chunks = 0; chunks < 12; chunks += key === null ? 1 : 5) {
        const bytes = noise.subarray(0, 17 * 1024 * 1024 + chunks * 65_536);
        const writer = await writerOf(path);
        const failing = failAtStep(1, 'ENOSPC', async () => {
          const content = await writer.writeContent(sourceOf(bytes), null, activity);
          for (let name = 0; name < 10_000; name += 1) {
            await setImmediate();
            await writer.writeTree([fileEntry(`file ${name}`, content)]);
          }
        });
        await expect(failing, `${chunks} chunks`).rejects.toMatchObject({ code: 'ENOSPC' });
        await writer.close();
      }
      await dispose();
    });
  },
);
