import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Settings } from '../config/settings.ts';
import { makeDirectory, writeFileDurably } from '../files/durable.ts';
import { systemCode } from '../kernel/errors.ts';
import type { HeadMark, HeadMemory } from '../store/repository.ts';

/**
 * What was last seen of encrypted repositories, kept in the state directory: who holds a repository alone cannot set it
 * back unnoticed. Written by whoever holds the repository's lock, also where there is no daemon, hence not in `state.db`.
 */

type Places = Pick<Settings, 'stateDirectory' | 'repositoryDirectory'>;

const FILE = 'repository-heads.json';
/** Folders remembered; those that were not written to for longest go. */
const PLACES_MAX = 16;

const mark = z.object({
  repositoryId: z.string(),
  line: z.string(),
  generation: z.int(),
  digest: z.string(),
});
const schema = z.object({ format: z.literal(1), seen: z.record(z.string(), mark) });
type Seen = z.infer<typeof schema>['seen'];

const pathOf = ({ stateDirectory }: Places): string => join(stateDirectory, FILE);

/** Nothing where it cannot be read: it is remembered anew then. */
async function readAll(places: Places): Promise<Seen> {
  let text: string;
  try {
    text = await readFile(pathOf(places), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return {};
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text)).seen;
  } catch {
    return {};
  }
}

/** Null where the repository was never seen, or is not encrypted. */
export async function seenHead(places: Places): Promise<HeadMark | null> {
  return (await readAll(places))[places.repositoryDirectory] ?? null;
}

/** For who opens the repository to change it. */
export async function headMemory(places: Places): Promise<HeadMemory> {
  return {
    seen: await seenHead(places),
    remember: async (seen) => {
      const { [places.repositoryDirectory]: before, ...others } = await readAll(places);
      if (before !== undefined && JSON.stringify(before) === JSON.stringify(seen)) return;
      const kept = Object.entries(others).slice(-(PLACES_MAX - 1));
      const all = { ...Object.fromEntries(kept), [places.repositoryDirectory]: seen };
      await makeDirectory(places.stateDirectory);
      await writeFileDurably(pathOf(places), `${JSON.stringify({ format: 1, seen: all })}\n`);
    },
  };
}
