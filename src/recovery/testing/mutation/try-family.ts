import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { quietActivity } from '../../../kernel/activity.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { HoldfastError } from '../../../kernel/errors.ts';
import { Claims } from '../../../sqlite/btree/claims.ts';
import { orphanLeaves } from '../../../sqlite/btree/orphan-pages.ts';
import { readSchema } from '../../../sqlite/btree/schema.ts';
import { walkIndex } from '../../../sqlite/btree/walk-index.ts';
import { walkTable } from '../../../sqlite/btree/walk-table.ts';
import { checkDatabase } from '../../../sqlite/database-check.ts';
import { readFreelist } from '../../../sqlite/format/freelist.ts';
import { openPageSource, type PageSourceOptions } from '../../../sqlite/format/page-source.ts';
import { assessDatabase, type Condition } from '../../assess.ts';
import { salvageDatabase } from '../../salvage/salvage-database.ts';
import type { Ending, FamilyBytes } from './sound-family.ts';

/** What became of one mutated database; throws for anything that no reader of any bytes may do. */
export interface FamilyOutcome {
  readonly condition: Condition;
  readonly salvaged: boolean;
}

function write(family: FamilyBytes, path: string): string {
  for (const ending of Object.keys(family) as Ending[]) {
    if (family[ending] !== null) writeFileSync(`${path}${ending}`, family[ending]);
  }
  return path;
}

/** More events than bytes: a walk that goes round. */
function countUpTo(limit: number, events: Iterable<unknown>): void {
  let count = 0;
  for (const _ of events)
    if (++count > limit) throw new Error(`a walk of more than ${limit} steps`);
}

function walkAll(path: string, bytes: number, options: PageSourceOptions): void {
  let source: ReturnType<typeof openPageSource>;
  try {
    source = openPageSource(path, options);
  } catch (error) {
    if (error instanceof HoldfastError) return;
    throw error;
  }
  try {
    const claims = new Claims();
    for (const { rootPage } of readSchema(source, claims).entries) {
      countUpTo(bytes, walkTable(source, rootPage, claims));
      countUpTo(bytes, walkIndex(source, rootPage, new Claims(), null));
    }
    readFreelist(source);
    // A header may claim any number of pages; none of them is there.
    if (source.pageCount <= bytes) countUpTo(bytes, orphanLeaves(source, claims, new Set()));
  } finally {
    source.close();
  }
}

/** Why SQLite does not call the database sound, or null. */
function complaintOf(path: string): string | null {
  const database = new Database(path);
  try {
    for (const line of database.prepare('PRAGMA integrity_check').pluck().iterate()) {
      if (line !== 'ok') return String(line);
    }
    const tables = `SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0`;
    for (const name of database.prepare(tables).pluck().all()) {
      const quoted = `"${String(name).replaceAll('"', '""')}"`;
      for (const _ of database.prepare(`SELECT * FROM ${quoted} NOT INDEXED`).iterate());
    }
    return null;
  } catch (error) {
    return String(error);
  } finally {
    database.close();
  }
}

/** Rows that break a constraint are no damage: the check says so, and goes on to call the database ok. */
const CONSTRAINT = /^(?:NULL|NUMERIC|TEXT|non-\w+) value in|^CHECK constraint failed/;

async function salvage(damaged: string, directory: string): Promise<boolean> {
  try {
    const activity = quietActivity();
    const request = { damaged, snapshot: null, schemaFrom: 'damaged', directory } as const;
    const { path } = await salvageDatabase(request, activity);
    const { outcome, messages } = checkDatabase(path, 'full');
    const unsound = messages.find((message) => !CONSTRAINT.test(message));
    if (outcome !== 'ok' && unsound !== undefined) throw new Error(`salvage made: ${unsound}`);
    return true;
  } catch (error) {
    if (error instanceof HoldfastError || error instanceof Database.SqliteError) return false;
    throw error;
  }
}

export async function tryFamily(family: FamilyBytes, directory: string): Promise<FamilyOutcome> {
  const at = (name: string): string => {
    mkdirSync(join(directory, name), { recursive: true });
    return write(family, join(directory, name, 'app.db'));
  };
  try {
    const assessed = at('assessed');
    const { condition } = await assessDatabase(
      {
        path: assessed,
        level: 'full',
        scratchDirectory: join(directory, 'scratch'),
        baseline: null,
        snapshots: null,
      },
      quietActivity(),
      systemClock,
    );
    if (condition === 'ok') {
      const complaint = complaintOf(at('opened'));
      if (complaint !== null && !CONSTRAINT.test(complaint)) {
        throw new Error(`called ok, but: ${complaint}`);
      }
    }
    const walked = at('walked');
    const bytes = Object.values(family).reduce((sum, each) => sum + (each?.length ?? 0), 4096);
    const wal = family['-wal'] === null ? null : { wal: `${walked}-wal` };
    const journal = family['-journal'] === null ? null : { journal: `${walked}-journal` };
    for (const options of [{}, wal, journal]) if (options) walkAll(walked, bytes, options);
    return { condition, salvaged: await salvage(walked, join(directory, 'new')) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
