import { z } from 'zod';
import { type Options, required } from '../option.ts';
import { displayName } from '../option-values.ts';

export const assertionOptions = {
  name: required(displayName, {
    type: 'text',
    help: 'What is asserted, for whoever reads a failed drill. Unique in the source.',
  }),
  database: required(z.string().min(1, 'expected a path such as data/app.db').max(1024), {
    type: 'path in a snapshot',
    help: 'The database, such as `data/app.db`.',
  }),
  sql: required(z.string().min(1, 'expected a query').max(16_384), {
    type: 'SQL',
    help: 'One query. It runs read-only on the restored copy.',
  }),
  expect: required(
    z.union([z.number(), z.string().max(4096), z.null()], {
      error: 'expected "rows", "no-rows", a text, a number or null',
    }),
    {
      type: '`rows` · `no-rows` · text · number · null',
      help: 'Whether the query must give rows, or none; or else the value that the first column of its first row must have.',
    },
  ),
} satisfies Options;
