import type Database from 'better-sqlite3';
import { messageOf } from '../kernel/errors.ts';
import { checkConnection } from '../sqlite/database-check.ts';
import { isConstraintOnly } from '../sqlite/integrity-messages.ts';
import { isForeignDefinition } from '../sqlite/piecewise-check.ts';
import { openCopy } from './candidates/settle.ts';
import { fullTextTables, readSchema, type SchemaObject } from './damage.ts';
import type { GateName, GateResult } from './report.ts';

/** What a candidate must pass before it may be installed. Passing says nothing about rows lost: that is the score. */

/** A database that a candidate is measured against; any part may be unknown. */
export interface Yardstick {
  readonly schema: readonly SchemaObject[] | null;
  readonly foreignKeyViolations: number | null;
}

const MESSAGES_MAX = 10;

/** Rows whose parent is missing; null where it cannot be said. */
function countViolations(database: Database.Database): number | null {
  try {
    const sql = 'SELECT count(*) FROM pragma_foreign_key_check';
    return database.prepare<[], number>(sql).pluck().get() ?? null;
  } catch {
    // A parent table without the key it is referred to by, or damage: there is no number to compare.
    return null;
  }
}

function attemptOrNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** Measures a private copy, damaged or not. */
export function measure(path: string): Yardstick {
  const database = attemptOrNull(() => openCopy(path));
  if (database === null) return { schema: null, foreignKeyViolations: null };
  try {
    return {
      schema: attemptOrNull(() => readSchema(database)),
      foreignKeyViolations: countViolations(database),
    };
  } finally {
    database.close();
  }
}

function result(
  gate: GateName,
  messages: readonly string[],
  ok = messages.length === 0,
): GateResult {
  return { gate, ok, messages: messages.slice(0, MESSAGES_MAX) };
}

/** What `complete` lists and `schema` lacks. Names of automatic indexes and statistics do not count. */
function missingObjects(
  schema: readonly SchemaObject[],
  complete: readonly SchemaObject[],
): string[] {
  const present = new Set(schema.map(({ type, name }) => `${type} ${name}`));
  return complete
    .filter(({ name }) => !name.startsWith('sqlite_'))
    .map(({ type, name }) => `${type} ${name}`)
    .filter((each) => !present.has(each));
}

/** Complete against any of the yardsticks; without a known one, at least not empty. */
function schemaGate(database: Database.Database, yardsticks: readonly Yardstick[]): GateResult {
  const schema = readSchema(database);
  const known = yardsticks.flatMap((each) => (each.schema === null ? [] : [each.schema]));
  if (known.length === 0) return result('schema', schema.length === 0 ? ['no tables'] : []);
  const misses = known.map((complete) => missingObjects(schema, complete));
  const best = misses.find((missing) => missing.length === 0);
  return result('schema', best ?? misses[0]!.map((each) => `${each} is missing`));
}

function foreignKeyGate(database: Database.Database, yardsticks: readonly Yardstick[]): GateResult {
  const violations = countViolations(database);
  if (violations === null) return result('foreign-keys', ['cannot be checked'], true);
  const known = yardsticks.flatMap(({ foreignKeyViolations }) => foreignKeyViolations ?? []);
  if (violations === 0 || known.length === 0) {
    return result('foreign-keys', violations === 0 ? [] : [`${violations} violations`], true);
  }
  const allowed = Math.max(...known);
  if (violations <= allowed) return result('foreign-keys', [`${violations}, as before`], true);
  return result('foreign-keys', [`${violations} violations, ${allowed} before`]);
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** The command is an INSERT that changes nothing; it is rolled back all the same. */
function fullTextGate(database: Database.Database): GateResult {
  const messages: string[] = [];
  for (const { name } of fullTextTables(readSchema(database))) {
    const table = quoted(name);
    database.exec('BEGIN');
    try {
      database.exec(`INSERT INTO main.${table}(${table}) VALUES('integrity-check')`);
    } catch (error) {
      if (!isForeignDefinition(error)) messages.push(`${name}: ${messageOf(error)}`);
    } finally {
      database.exec('ROLLBACK');
    }
  }
  return result('full-text', messages);
}

function integrityGate(database: Database.Database): GateResult {
  const { ok, messages } = checkConnection(database, 'full');
  return result('integrity', messages, ok || isConstraintOnly(messages));
}

/** Runs a gate; what it throws is its failure. */
function guarded(gate: GateName, run: () => GateResult): GateResult {
  try {
    return run();
  } catch (error) {
    return result(gate, [messageOf(error)]);
  }
}

/** Runs the gates on a private file; after a failed integrity gate the others say nothing and are left out. */
export function runGates(path: string, yardsticks: readonly Yardstick[]): GateResult[] {
  const database = openCopy(path);
  try {
    const integrity = guarded('integrity', () => integrityGate(database));
    if (!integrity.ok) return [integrity];
    return [
      integrity,
      guarded('schema', () => schemaGate(database, yardsticks)),
      guarded('foreign-keys', () => foreignKeyGate(database, yardsticks)),
      guarded('full-text', () => fullTextGate(database)),
    ];
  } finally {
    database.close();
  }
}
