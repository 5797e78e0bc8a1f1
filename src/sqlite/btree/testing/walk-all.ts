import type Database from 'better-sqlite3';
import { readFreelist } from '../../format/freelist.ts';
import type { PageSource } from '../../format/page-source.ts';
import { isPointerMapPage, lockBytePage } from '../../format/pointer-map.ts';
import type { Claims } from '../claims.ts';
import { compareKeys } from '../compare-keys.ts';
import { readSchema } from '../schema.ts';
import type { IndexWalkEvent, TableWalkEvent } from '../walk-events.ts';
import { walkIndex } from '../walk-index.ts';
import { walkTable } from '../walk-table.ts';
import { shown, type TableAsSelected } from './stored-rows.ts';

/** The rows of a table in the form of `selectTables`, and everything else that the walk told. */
export function walkSelected(
  source: PageSource,
  table: TableAsSelected,
  claims: Claims,
  schemaFormat = 4,
): { rows: string[]; faults: (TableWalkEvent | IndexWalkEvent)[] } {
  const rows: string[] = [];
  const faults: (TableWalkEvent | IndexWalkEvent)[] = [];
  const keys = table.keyColumns.map(({ collation, descending }) => ({
    collation,
    descending: schemaFormat >= 4 && descending,
  }));
  const events = table.withoutRowid
    ? walkIndex(source, table.root, claims, compareKeys(keys))
    : walkTable(source, table.root, claims);
  for (const event of events) {
    if (event.type === 'leaf') continue;
    if (event.type !== 'row' || event.displaced) faults.push(event);
    if (event.type !== 'row') continue;
    const rowid = 'rowid' in event ? event.rowid : 0;
    const values = event.values.map((value, index) =>
      index === table.rowidColumn ? `number ${rowid}` : shown(value),
    );
    rows.push([`number ${rowid}`, ...values].join(', '));
  }
  return { rows: table.withoutRowid ? rows.sort() : rows, faults };
}

/** Walks the schema and all indexes; each index in the order that SQLite states. */
export function walkIndexes(
  source: PageSource,
  db: Database.Database,
  claims: Claims,
  schemaFormat: number,
): Map<string, IndexWalkEvent[]> {
  const walked = new Map<string, IndexWalkEvent[]>();
  for (const entry of readSchema(source, claims).entries) {
    if (entry.type !== 'index' || entry.rootPage === 0) continue;
    const columns = db.prepare('SELECT * FROM pragma_index_xinfo(?)').all(entry.name) as any[];
    const compare = compareKeys(
      columns.map((column) => ({
        collation: column.coll,
        descending: schemaFormat >= 4 && Number(column.desc) === 1,
      })),
    );
    walked.set(entry.name, [...walkIndex(source, entry.rootPage, claims, compare)]);
  }
  return walked;
}

/** How often each page is accounted for by a tree, the freelist, a pointer map or the lock byte: once, if all is sound. */
export function accountForPages(source: PageSource, claims: Claims): number[] {
  const counts = Array.from({ length: source.pageCount }, () => 0);
  const freelist = readFreelist(source);
  if (!freelist.ok) throw new Error(freelist.fault);
  for (const page of [...freelist.trunks, ...freelist.leaves]) counts[page - 1]! += 1;
  for (let page = 1; page <= source.pageCount; page++) {
    if (claims.ownerOf(page) !== null) counts[page - 1]! += 1;
    if (source.autoVacuum && isPointerMapPage(page, source)) counts[page - 1]! += 1;
    if (page === lockBytePage(source.pageBytes)) counts[page - 1]! += 1;
  }
  return counts;
}
