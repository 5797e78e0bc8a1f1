import type Database from 'better-sqlite3';
import { cannot, messageOf } from '../kernel/errors.ts';
import { type ScriptStatement, splitStatements } from './split-statements.ts';

/** What the SQL of a step may be: anything inside one transaction on one database. */

/** Why it is refused. */
const REFUSED: Readonly<Record<string, string>> = {
  BEGIN: 'each step is one transaction already',
  COMMIT: 'each step is one transaction already',
  END: 'each step is one transaction already',
  ROLLBACK: 'each step is one transaction already',
  SAVEPOINT: 'each step is one transaction already',
  RELEASE: 'each step is one transaction already',
  ATTACH: 'a step changes one database',
  DETACH: 'a step changes one database',
  VACUUM: 'it cannot run in a transaction',
};

/** Those that are about the content of the database, or only look. */
const PRAGMAS: ReadonlySet<string> = new Set([
  'application_id',
  'defer_foreign_keys',
  'foreign_key_check',
  'foreign_key_list',
  // Without effect in a transaction: keys are never enforced while a step runs, and checked after it.
  'foreign_keys',
  'index_info',
  'index_list',
  'legacy_alter_table',
  'optimize',
  'recursive_triggers',
  'table_info',
  'table_list',
  'table_xinfo',
  'user_version',
]);

function objection({ words, sql }: ScriptStatement): string | null {
  const [first = '', second = ''] = words;
  if (first === 'PRAGMA') {
    // `PRAGMA main.user_version = 2` names the schema first.
    const name = /^PRAGMA\s+(?:main\s*\.\s*)?(\w+)/i.exec(sql)?.[1] ?? second;
    return PRAGMAS.has(name.toLowerCase()) ? null : `PRAGMA ${name} has no place in a step`;
  }
  const reason = REFUSED[first];
  return reason === undefined ? null : `${first} is refused: ${reason}`;
}

/** The statements of a step. @throws INVALID_PARAMS naming the line of one that a step may not hold */
export function stepStatements(script: string, file: string): ScriptStatement[] {
  const statements = splitStatements(script);
  for (const statement of statements) {
    const reason = objection(statement);
    if (reason === null) continue;
    throw cannot('INVALID_PARAMS', 'run step', file, `line ${statement.line}: ${reason}`, {
      hint: 'Write the step as statements alone: Holdfast puts them into a transaction.',
    });
  }
  return statements;
}

/** Runs one, whatever it gives. */
export function runStatement(database: Database.Database, { sql, line }: ScriptStatement): void {
  try {
    const statement = database.prepare(sql);
    if (!statement.reader) statement.run();
    else for (const _row of statement.iterate());
  } catch (error) {
    throw new Error(`line ${line}: ${messageOf(error)}`, { cause: error });
  }
}
