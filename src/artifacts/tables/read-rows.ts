import type Database from 'better-sqlite3';
import type { TextEncoding } from '../../sqlite/header.ts';
import type { CellValue } from './cell-value.ts';
import { quoted, type TableForm } from './table-form.ts';
import { mayDiffer, textOf } from './text-encoding.ts';

/** How the row id is called among the columns of a header, and among the members of a row that is an object. */
export const ROWID_COLUMN = '$rowid';

/** What is read of a row, in this order: its row id where nothing else holds it, and the columns that are not generated. */
export function readColumns(form: TableForm): string[] {
  const rowid = carriesRowid(form) ? [form.rowid!] : [];
  const columns = form.columns.filter(({ generated }) => !generated);
  return [...rowid, ...columns.map(({ name }) => quoted(name))];
}

/** True when rows are told apart by a row id that no column of theirs holds. */
export function carriesRowid({ rowid, rowidAlias }: TableForm): boolean {
  return rowid !== null && rowidAlias === null;
}

/** What the values of a row are called where it is an object, and which of them is the first that has a name. */
export function memberNames(form: TableForm): { readonly names: string[]; readonly from: number } {
  const columns = form.columns.filter(({ generated }) => !generated).map(({ name }) => name);
  if (!carriesRowid(form)) return { names: columns, from: 0 };
  // A column of that name is what is meant by it.
  return columns.includes(ROWID_COLUMN)
    ? { names: columns, from: 1 }
    : { names: [ROWID_COLUMN, ...columns], from: 0 };
}

/** The order of the b-tree itself, whatever indexes there are: it needs no collation of the application's. */
function fromTable({ name, kind, rowid }: TableForm): string {
  const scan = kind === 'virtual' ? '' : ' NOT INDEXED';
  return `FROM main.${quoted(name)}${scan}${rowid === null ? '' : ` ORDER BY ${rowid}`}`;
}

/**
 * The stored bytes of text, for rows whose text may not be what was read. A second reading of the same table in the
 * same transaction: it is only begun when it is needed, and meets the same rows in the same order.
 */
class StoredTexts {
  readonly #rows: IterableIterator<(Buffer | null)[]>;
  #row = -1;

  constructor(database: Database.Database, form: TableForm) {
    const bytes = readColumns(form).map(
      (column) => `CASE typeof(${column}) WHEN 'text' THEN CAST(${column} AS BLOB) END`,
    );
    this.#rows = database
      .prepare<[], (Buffer | null)[]>(`SELECT ${bytes.join(', ')} ${fromTable(form)}`)
      .raw()
      .iterate();
  }

  /** @param row counted from 0, greater than the one asked for before */
  at(row: number): (Buffer | null)[] {
    for (;;) {
      const next = this.#rows.next();
      this.#row += 1;
      if (this.#row === row) return next.value as (Buffer | null)[];
    }
  }

  close(): void {
    this.#rows.return?.();
  }
}

/**
 * Every row of a table as it is stored, one at a time. The array is the caller's.
 * @throws what SQLite throws of a damaged file, or of one that needs the application's own collations
 */
export function* readRows(
  database: Database.Database,
  form: TableForm,
  encoding: TextEncoding,
): Generator<CellValue[]> {
  const sql = `SELECT ${readColumns(form).join(', ')} ${fromTable(form)}`;
  const reading = database.prepare<[], CellValue[]>(sql).raw().safeIntegers().iterate();
  const doubtful = (value: CellValue): boolean =>
    typeof value === 'string' && mayDiffer(value, encoding);
  let stored: StoredTexts | null = null;
  let row = 0;
  try {
    for (const values of reading) {
      if (values.some(doubtful)) {
        stored ??= new StoredTexts(database, form);
        for (const [index, bytes] of stored.at(row).entries()) {
          if (bytes !== null) values[index] = textOf(bytes, encoding);
        }
      }
      row += 1;
      yield values;
    }
  } finally {
    stored?.close();
  }
}
