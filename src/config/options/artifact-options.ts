import { z } from 'zod';
import { groupOf, type Options, objectOf, required, withDefault } from '../option.ts';
import { absolutePath, identifier } from '../option-values.ts';
import { choice } from './option-shapes.ts';

/** Portable artifacts: where they are kept, who signs them, and what each database asks of those that it is made from. */

const NAME = '[A-Za-z0-9][A-Za-z0-9._-]{0,99}';

const storeName = z
  .string()
  .max(400)
  .regex(new RegExp(`^(${NAME}/)*${NAME}$`), 'expected a name such as snapshots/latest');

const query = z.string().min(1, 'expected a query').max(4096);

/** A whole number, or dotted numbers. */
const version = z.union([
  z.int().nonnegative(),
  z.string().regex(/^\d{1,9}(\.\d{1,9}){0,3}$/, 'expected a number, or text such as "2.1"'),
]);

const nullableText = (schema: z.ZodType<string>, type: string, absent: string, help: string) =>
  withDefault(schema.nullable(), null, { type, absent, help });

const nullableVersion = (absent: string, help: string) =>
  withDefault(version.nullable(), null, { type: 'number or text', absent, help });

export const artifactStoreOptions = {
  type: choice(['file'], 'file', 'Which kind of store it is. `file`: a directory.'),
  path: nullableText(
    absolutePath,
    'absolute path',
    '`artifacts` in the state directory',
    'The directory of a `file` store, such as one that several hosts mount. Holdfast makes it where it is missing.',
  ),
} satisfies Options;

export const signingOptions = {
  hmacSecret: nullableText(
    identifier,
    'identifier',
    'none',
    'The name of a secret, as given to `holdfast secret set`: signs with HMAC-SHA-256.',
  ),
  privateKeyPath: nullableText(
    absolutePath,
    'absolute path',
    'none',
    'A PEM file with an Ed25519 private key that only its owner can read.',
  ),
} satisfies Options;

export const verifyKeyOptions = {
  hmacSecret: nullableText(identifier, 'identifier', 'none', 'The name of a secret.'),
  publicKey: nullableText(
    z.string().min(32).max(4096),
    'text',
    'none',
    'Instead: an Ed25519 public key, as PEM.',
  ),
} satisfies Options;

export const artifactsOptions = {
  store: groupOf(artifactStoreOptions, {
    type: 'group',
    help: 'Where published artifacts are kept, and fetched from.',
  }),
  keyPrefix: withDefault(
    z
      .string()
      .max(200)
      .regex(new RegExp(`^(${NAME}/)*$`), 'expected names that each end with a slash'),
    'snapshots/',
    { type: 'text', help: 'What the references of published artifacts begin with.' },
  ),
  signWith: groupOf(signingOptions, {
    type: 'group',
    absent: 'artifacts are not signed',
    help: 'The one key that signs the artifacts that are made here.',
  }),
  verifyWith: withDefault(
    z.array(objectOf(verifyKeyOptions)).max(8, 'expected at most 8 keys'),
    [],
    {
      type: 'list of keys',
      absent: 'signatures are not asked for',
      help: 'Artifacts that none of these keys has signed are refused.',
    },
  ),
} satisfies Options;

const RULES = ['equal', 'same-major', 'min'] as const;

export const artifactOptions = {
  database: required(z.string().min(1, 'expected a path such as data/app.db').max(1024), {
    type: 'path in a snapshot',
    help: 'The database, such as `data/app.db`. It need not exist yet.',
  }),
  modelVersion: nullableVersion(
    'not looked at',
    'The version of its data model that the application, as it is installed here, expects: a number, or dotted numbers as text. Artifacts made here say this one, too.',
  ),
  modelVersionMin: nullableVersion('none', 'The oldest model version that the rule `min` accepts.'),
  modelRule: choice(
    RULES,
    'equal',
    'Which model versions fit: the very one, those whose first number is the same, or those from `modelVersionMin` up to it.',
  ),
  modelVersionQuery: nullableText(
    query,
    'SQL',
    '`modelVersion` holds',
    'Gives the model version of a database.',
  ),
  schemaVersion: nullableVersion(
    'not looked at',
    'The schema version that the application expects. Newer artifacts are refused, unless forced.',
  ),
  schemaVersionMin: nullableVersion(
    'none',
    'The oldest schema version that the rule `min` accepts.',
  ),
  schemaRule: choice(
    RULES,
    'min',
    'Which schema versions fit. By default older ones do: the migrations of the source run on what is imported.',
  ),
  schemaVersionQuery: nullableText(
    query,
    'SQL',
    '`PRAGMA user_version` holds',
    'Gives the schema version of a database.',
  ),
  migrationVersionQuery: nullableText(
    query,
    'SQL',
    'none is noted',
    'Gives the newest migration that was applied to a database.',
  ),
  cursorQuery: nullableText(
    query,
    'SQL',
    'none is noted',
    'Gives a whole number, 0 to 2^64 − 1: how far the data reaches in a stream that the application follows.',
  ),
  fresh: choice(
    ['no-file', 'no-tables', 'no-rows'],
    'no-tables',
    'Which database counts as not yet used, so that an artifact may take its place unforced: one that is missing or empty; one without tables as well; one without a row in any table as well.',
  ),
  requiredTables: withDefault(
    z.array(z.string().min(1).max(256)).max(256, 'expected at most 256 tables'),
    [],
    {
      type: 'list of tables',
      help: 'Without these, an artifact is refused.',
    },
  ),
  minRows: withDefault(
    z.record(z.string().min(1).max(256), z.int().nonnegative()),
    {},
    {
      type: 'numbers by table',
      help: 'How many rows these tables must have at least.',
    },
  ),
  alias: withDefault(storeName.nullable(), 'snapshots/latest', {
    type: 'text',
    help: 'The name in the store that stands for the newest published artifact of this database; `null`: none. No two databases may have the same.',
  }),
  payloadFormat: choice(
    ['sqlite-file', 'sqldump', 'jsonl-tables'],
    'sqlite-file',
    'What a published artifact consists of.',
  ),
  bootstrapRef: nullableText(
    storeName,
    'text',
    'never bootstrapped',
    'A reference or an alias in the store: what a database that is not there yet is made from before the application starts. If that cannot be done, the daemon does not become ready.',
  ),
  bootstrapPath: nullableText(
    absolutePath,
    'absolute path',
    'none',
    'Instead of a reference: an artifact that is a file, its manifest beside it.',
  ),
} satisfies Options;
