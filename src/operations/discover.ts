import { z } from 'zod';
import { isInside } from '../config/own-places.ts';
import { discoverDatabases } from '../sqlite/discover.ts';
import { type Operation, ownPaths } from './operation.ts';

const parameters = z.strictObject({
  directory: z.string().min(1),
  depth: z.number().int().min(0).max(32).default(8),
});

/** Paths listed; all are counted. */
const LISTED_MAX = 1000;

/** Databases below any directory, by their header. Of a missing directory: none. */
export const discover: Operation<z.infer<typeof parameters>> = {
  kind: 'discover',
  params: parameters,
  async run({ settings }, { directory, depth }) {
    const own = ownPaths(settings);
    const databases = await discoverDatabases(directory, {
      depth,
      exclude: (path) => own.some((place) => isInside(path, place)),
    });
    return {
      directory,
      databases: databases.slice(0, LISTED_MAX),
      count: databases.length,
      truncated: databases.length > LISTED_MAX,
    };
  },
};
