import { lstat } from 'node:fs/promises';
import type Database from 'better-sqlite3';
import type { ArtifactSettings } from '../../config/artifact-settings.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { familyPaths } from '../../sqlite/family.ts';
import { type PinOptions, pinDatabases } from '../../sqlite/pinned-read.ts';
import { userTables } from './database-facts.ts';

/** Whether a place holds nothing that an import could harm. */

export interface Freshness {
  readonly fresh: boolean;
  /** In words, as a state of the place: `it is missing`. */
  readonly state: string;
}

/** Bytes; null where nothing has this name. Any other error than that is one. @throws IO_ERROR */
async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await lstat(path)).size;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return null;
    throw cannot('IO_ERROR', 'look at', path, `${code ?? error}`, {
      hint: 'Nothing was done: what cannot be looked at may hold data.',
      cause: error,
    });
  }
}

function hasRows(database: Database.Database, table: string): boolean {
  const name = `"${table.replaceAll('"', '""')}"`;
  return database.prepare(`SELECT EXISTS (SELECT 1 FROM main.${name})`).pluck().get() === 1;
}

/** Of a database that has bytes. Nothing of it or beside it is changed, whoever has it open. */
async function contentOf(
  path: string,
  rule: ArtifactSettings['fresh'],
  pins: PinOptions,
): Promise<Freshness> {
  const pinned = await pinDatabases([path], pins);
  try {
    const [database] = pinned.databases;
    if (database === undefined || database.failure !== null) {
      return { fresh: false, state: 'what stands there is no readable database' };
    }
    const found = database.withConnection((connection) => {
      const tables = userTables(connection);
      return { tables, used: tables.find((table) => hasRows(connection, table)) };
    });
    const tables = found?.tables.length ?? 0;
    if (tables === 0) return { fresh: true, state: 'it has no tables' };
    if (rule === 'no-rows' && found?.used === undefined) {
      return { fresh: true, state: 'it has no rows' };
    }
    const count = tables === 1 ? 'a table' : `${tables} tables`;
    const state = found?.used === undefined ? count : `rows in "${found.used}"`;
    return { fresh: false, state: `it has ${state}` };
  } finally {
    await pinned.close();
  }
}

/**
 * Fresh is what is missing, or empty, or, as `rule` allows, a database without tables or rows of the application. A log
 * or journal beside a file that is missing or empty may hold data.
 * @throws IO_ERROR where it cannot be looked at: permissions, loops of symlinks, a file where a directory should be
 */
export async function freshnessOf(
  path: string,
  rule: ArtifactSettings['fresh'],
  pins: PinOptions,
): Promise<Freshness> {
  const { main, wal, journal } = familyPaths(path);
  const bytes = await sizeOf(main);
  if (bytes === null || bytes === 0) {
    const state = bytes === null ? 'it is missing' : 'it is empty';
    for (const [member, what] of [
      [wal, 'a write-ahead log'],
      [journal, 'a rollback journal'],
    ] as const) {
      if ((await sizeOf(member)) !== null) {
        return { fresh: false, state: `${state}, but ${what} is beside it` };
      }
    }
    return { fresh: true, state };
  }
  if (rule === 'no-file') return { fresh: false, state: `a file of ${bytes} bytes stands there` };
  return contentOf(path, rule, pins);
}
