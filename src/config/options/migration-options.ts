import { z } from 'zod';
import { type Options, required, withDefault } from '../option.ts';
import { absolutePath } from '../option-values.ts';

/** A semantic version (semver.org, 2.0.0): numbers, pre-release, build. */
export const SEMANTIC_VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/;

const sql = z.string().min(1, 'expected SQL').max(16_384).nullable();

export const migrationOptions = {
  database: required(z.string().min(1, 'expected a path such as data/app.db').max(1024), {
    type: 'path in a snapshot',
    help: 'The database, such as `data/app.db`. Unique in the source.',
  }),
  directory: required(absolutePath, {
    type: 'absolute path',
    help: 'Where the steps are: `<version>_<name>.up.sql`, beside it `<version>_<name>.down.sql` if it can be undone; or `<version>_<name>.mjs`, a module with functions `up` and `down`. Only root and the user that Holdfast runs as may be able to write it: what stands in it is run.',
  }),
  versionQuery: withDefault(sql, null, {
    type: 'SQL',
    absent: '`PRAGMA user_version`',
    help: 'One query whose first value is the version of the schema: text such as `1.4.0`, or the number of a step.',
  }),
  versionStatement: withDefault(sql, null, {
    type: 'SQL',
    absent:
      'with `versionQuery` the steps write the version themselves; otherwise `user_version` is set',
    help: 'One statement that writes the version, run at the end of each step in the same transaction, with `@version` (text) and `@number`.',
  }),
  assumeVersion: withDefault(
    z
      .string()
      .max(128)
      .regex(SEMANTIC_VERSION, 'expected a semantic version such as 1.0.0')
      .nullable(),
    null,
    {
      type: 'version',
      absent: 'a database that says no version is refused',
      help: 'The version of a database that holds tables and says no version: `0.0.0` where every step is still to be run.',
    },
  ),
} satisfies Options;
