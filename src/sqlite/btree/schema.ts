import type { PageSource } from '../format/page-source.ts';
import { type RecordValue, StoredText } from '../format/record.ts';
import type { Integer } from '../format/varint.ts';
import type { Claims } from './claims.ts';
import type { TableRow, TableWalkEvent } from './walk-events.ts';
import { walkTable } from './walk-table.ts';

const SCHEMA_ROOT = 1;

export type SchemaType = 'table' | 'index' | 'view' | 'trigger';

/** A row of `sqlite_schema`. */
export interface SchemaEntry {
  readonly rowid: Integer;
  readonly type: SchemaType;
  readonly name: string;
  readonly tableName: string;
  /** 0 for what has no tree: views, triggers, virtual tables. */
  readonly rootPage: number;
  /** Null for automatic indexes. */
  readonly sql: string | null;
}

export interface ReadSchema {
  readonly entries: readonly SchemaEntry[];
  /** Everything of the tree of page 1 that is not sound, and rows that are no schema rows. */
  readonly faults: readonly string[];
  /** False when entries may be missing. */
  readonly complete: boolean;
}

/** Reads the schema from the tree of page 1, in the order of its rowids. */
export function readSchema(source: PageSource, claims: Claims): ReadSchema {
  const entries: SchemaEntry[] = [];
  const faults: string[] = [];
  let complete = true;
  for (const event of walkTable(source, SCHEMA_ROOT, claims)) {
    const entry = event.type === 'row' ? schemaEntryOf(event) : null;
    if (entry !== null) entries.push(entry);
    if (event.type === 'leaf' || entry !== null) continue;
    faults.push(describe(event));
    if (event.type !== 'page-fault') complete = false;
  }
  return { entries, faults, complete };
}

/** @returns null when the row cannot be one of `sqlite_schema` */
function schemaEntryOf({ rowid, values }: TableRow): SchemaEntry | null {
  if (values.length !== 5) return null;
  const [type, name, tableName, root, sql] = values as [
    RecordValue,
    RecordValue,
    RecordValue,
    RecordValue,
    RecordValue,
  ];
  const typeText = textOf(type);
  const nameText = textOf(name);
  const tableText = textOf(tableName);
  if (!isSchemaType(typeText) || nameText === null || tableText === null) return null;
  if (root !== null && (typeof root !== 'number' || root < 0)) return null;
  const rootPage = root ?? 0;
  return {
    rowid,
    type: typeText,
    name: nameText,
    tableName: tableText,
    rootPage,
    sql: textOf(sql),
  };
}

function textOf(value: RecordValue): string | null {
  return value instanceof StoredText ? value.text : null;
}

function isSchemaType(text: string | null): text is SchemaType {
  return text === 'table' || text === 'index' || text === 'view' || text === 'trigger';
}

function describe(event: Exclude<TableWalkEvent, { type: 'leaf' }>): string {
  if (event.type === 'row') return `page ${event.page}: row ${event.rowid} is no schema row`;
  const cell = event.type === 'bad-cell' ? ` cell ${event.cell}` : '';
  return `page ${event.page}${cell}: ${event.why}`;
}
