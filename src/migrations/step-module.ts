import { pathToFileURL } from 'node:url';
import type Database from 'better-sqlite3';
import type { StepWay } from './step.ts';
import { runStatement, stepStatements } from './step-statements.ts';

/**
 * What a module is handed: the database inside the transaction of its step, and no way out of it. This keeps mistakes
 * away, not attackers: a module is a program of whoever may write its directory, and runs with the rights of the worker.
 */
export interface StepDatabase {
  /** Runs a script. */
  exec(sql: string): void;
  /** Runs one statement with values for its `?`. */
  run(sql: string, ...values: unknown[]): { changes: number };
  /** Every row of one query. */
  all(sql: string, ...values: unknown[]): Record<string, unknown>[];
}

type StepFunction = (database: StepDatabase) => unknown;

function openFor(database: Database.Database, file: string): StepDatabase {
  const one = (sql: string): Database.Statement => {
    const [statement] = stepStatements(sql, file);
    return database.prepare(statement?.sql ?? sql);
  };
  return {
    exec: (sql) => {
      for (const statement of stepStatements(sql, file)) runStatement(database, statement);
    },
    run: (sql, ...values) => ({ changes: one(sql).run(...values).changes }),
    all: (sql, ...values) => one(sql).all(...values) as Record<string, unknown>[],
  };
}

/** Runs `up` or `down` of a module. @throws whatever it throws; Error where it has no such function */
export async function runModule(
  database: Database.Database,
  { file, checksum }: StepWay,
  direction: 'up' | 'down',
): Promise<void> {
  // Another file under the same name is another module.
  const url = `${pathToFileURL(file).href}?${checksum.slice(0, 16)}`;
  const module = (await import(url)) as Partial<Record<'up' | 'down', StepFunction>>;
  const run = module[direction];
  if (typeof run !== 'function') throw new Error(`it exports no function "${direction}"`);
  await run(openFor(database, file));
}
