import { z } from 'zod';

/** What is made of a file that came from elsewhere, or from an export. */

const from = z.string().startsWith('/');
const format = z.enum(['db', 'sql', 'jsonl']).optional();
/** Logical path. @default the only database of the newest snapshot */
const database = z.string().min(1).optional();
const sourceId = z.string().min(1);
/** A snapshot of what is replaced is taken first. */
const checkpoint = z.boolean().default(true);
/** Everything but the replacement itself. */
const dryRun = z.boolean().default(false);

const tableOptions = {
  /** Of lines without a header. */
  table: z.string().min(1).optional(),
  strict: z.boolean().default(false),
  /** Triggers run for every row. */
  triggers: z.boolean().default(false),
  lineBytesMax: z.int().min(1024).optional(),
};

export const importParameters = z.discriminatedUnion('into', [
  /** A new database file, or a new directory for an archive; of no source. */
  z.strictObject({ into: z.literal('place'), from, to: z.string().startsWith('/'), format }),
  /** In the place of a whole database. */
  z.strictObject({
    ...{ into: z.literal('database'), from, sourceId, database, format, checkpoint, dryRun },
    /** A database with rows that point to nothing is refused. */
    strict: z.boolean().default(false),
    /** A database that is older than its migrations is brought up to date. */
    migrate: z.boolean().default(true),
    /** One that is newer is taken as it is. */
    allowNewer: z.boolean().default(false),
  }),
  /** Rows into the tables of a database. */
  z.strictObject({
    ...{ into: z.literal('tables'), from, sourceId, database, checkpoint, dryRun },
    mode: z.enum(['insert-ignore', 'upsert', 'replace']),
    /** In the database itself, while others may use it, in place of a copy that is swapped in. */
    live: z.boolean().default(false),
    ...tableOptions,
  }),
  /** An archive as a snapshot of the source. */
  z.strictObject({
    ...{ into: z.literal('snapshot'), from, sourceId },
    /** Logical path that everything in a foreign archive goes below. */
    under: z.string().min(1).optional(),
    tags: z.array(z.string().min(1).max(64)).max(32).default([]),
  }),
]);

export type ImportParameters = z.output<typeof importParameters>;
export type ImportInto<Into extends ImportParameters['into']> = Extract<
  ImportParameters,
  { readonly into: Into }
>;
