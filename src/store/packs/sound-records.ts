import { recordKeyOf } from '../encryption/record-seal.ts';
import type { RepositoryKeys } from '../encryption/repository-keys.ts';
import type { PackEntry } from '../format/pack-layout.ts';
import { RECORD_HEADER_BYTES } from '../format/record.ts';
import { bytePool } from '../threads/byte-pool.ts';
import type { RunKeys } from '../threads/byte-task.ts';
import { BLOCK_BYTES } from '../threads/lent-block.ts';

/** How threads are handed the keys of a repository. */
export const runKeysOf = (keys: RepositoryKeys | null): RunKeys | null =>
  keys === null ? null : { objectIds: keys.objectIds, record: recordKeyOf(keys) };

/**
 * Decodes records of a pack in memory, many at once. True for those that are full, and hash to the id of their entry;
 * the others are deltas or damaged, and to be looked at one by one. `keys`: of the repository, where it is encrypted.
 */
export async function soundRecords(
  pack: Buffer,
  entries: readonly PackEntry[],
  keys: RepositoryKeys | null,
): Promise<boolean[]> {
  const isSound = entries.map(() => false);
  const runs = runsOf(entries).map(async (indexes) => {
    const run = indexes.map((index) => entries[index]!);
    const records = run.map(({ offset, storedBytes }) =>
      pack.subarray(offset, offset + RECORD_HEADER_BYTES + storedBytes),
    );
    const plainBytes = run.reduce((sum, entry) => sum + entry.plainBytes, 0);
    const task = {
      kind: 'records',
      records,
      into: null,
      keys: runKeysOf(keys),
      plainBytes,
    } as const;
    const { ids = [] } = await bytePool().run(task);
    for (const [at, index] of indexes.entries()) isSound[index] = ids[at] === run[at]!.id;
  });
  await Promise.all(runs);
  return isSound;
}

/** Indexes of full records, in runs of about a block of plaintext. */
function runsOf(entries: readonly PackEntry[]): number[][] {
  const runs: number[][] = [];
  let bytes = BLOCK_BYTES;
  for (const [index, { base, plainBytes }] of entries.entries()) {
    if (base !== null) continue;
    if (bytes + plainBytes > BLOCK_BYTES) {
      runs.push([]);
      bytes = 0;
    }
    runs.at(-1)!.push(index);
    bytes += plainBytes;
  }
  return runs;
}
