import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import { hostPath } from './scalars.ts';

/** What an operator may ask of one database of an application, by name. Nothing of it ever happens by itself. */

/** Absolute path of a database in a root of a source. */
const database = hostPath;

export const databaseMethods = {
  'database.statistics': {
    summary: 'Enqueues a look at the files of a database: sizes, pages, what its WAL holds.',
    params: z.strictObject({ database, idempotencyKey }),
    result: submitted,
  },
  'database.checkpoint': {
    summary:
      'Enqueues a checkpoint of a WAL. That others are at work on the database is a result, not an error.',
    params: z.strictObject({
      database,
      mode: z.enum(['passive', 'full', 'restart', 'truncate']).default('truncate'),
      idempotencyKey,
    }),
    result: submitted,
  },
  'database.optimize': {
    summary:
      'Enqueues PRAGMA optimize, which brings the statistics of the query planner up to date.',
    params: z.strictObject({ database, idempotencyKey }),
    result: submitted,
  },
};
