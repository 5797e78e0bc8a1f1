import type Database from 'better-sqlite3';
import { type Finding, parseFinding } from '../sqlite/integrity-messages.ts';

/** What a check's findings mean for repair: which parts can be derived again from parts that are sound. */

export interface SchemaObject {
  readonly type: 'table' | 'index' | 'view' | 'trigger';
  readonly name: string;
  readonly table: string;
  readonly rootPage: number;
  readonly sql: string | null;
}

/** @throws SQLITE_CORRUPT, SQLITE_NOTADB where the schema cannot be read */
export function readSchema(database: Database.Database): SchemaObject[] {
  return database
    .prepare<[], SchemaObject>(
      `SELECT type, name, tbl_name AS "table", coalesce(rootpage, 0) AS rootPage, sql FROM main.sqlite_schema`,
    )
    .all();
}

interface FullTextTable {
  readonly name: string;
  /** Shadow tables that 'rebuild' makes again from the content. */
  readonly derived: ReadonlySet<string>;
}

const FULL_TEXT_MODULES: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\busing\s+["'`[]?fts5\b/i, ['data', 'idx', 'docsize']],
  [/\busing\s+["'`[]?fts[34]\b/i, ['segments', 'segdir', 'docsize', 'stat']],
];
// Without content there is nothing to rebuild from.
const CONTENTLESS = /\bcontent\s*=\s*(?:''|"")/i;

/** Full-text tables whose index can be rebuilt. */
export function fullTextTables(schema: readonly SchemaObject[]): FullTextTable[] {
  return schema.flatMap(({ name, sql, type }) => {
    const module = FULL_TEXT_MODULES.find(
      ([pattern]) => type === 'table' && pattern.test(sql ?? ''),
    );
    if (module === undefined || CONTENTLESS.test(sql!)) return [];
    return [{ name, derived: new Set(module[1].map((suffix) => `${name}_${suffix}`)) }];
  });
}

export interface Damage {
  /** Trees to empty before anything can be rebuilt in their place. */
  readonly brokenTrees: readonly SchemaObject[];
  readonly indexes: ReadonlySet<string>;
  readonly fullText: ReadonlySet<string>;
  readonly freelist: boolean;
  /** Pages that belong to nobody, pointer maps. */
  readonly space: boolean;
  /** What no rebuilding cures: tables by name, the schema, the file. Empty when all of the damage is derived. */
  readonly lasting: readonly string[];
}

class DamageReader {
  readonly brokenTrees = new Map<number, SchemaObject>();
  readonly indexes = new Set<string>();
  readonly fullText = new Set<string>();
  readonly lasting = new Set<string>();
  freelist = false;
  space = false;
  readonly #schema: readonly SchemaObject[];
  readonly #fullTextTables: readonly FullTextTable[];

  constructor(schema: readonly SchemaObject[]) {
    this.#schema = schema;
    this.#fullTextTables = fullTextTables(schema);
  }

  add(finding: Finding, message: string): void {
    switch (finding.about) {
      case 'freelist':
        this.freelist = true;
        break;
      case 'space':
        this.space = true;
        break;
      case 'index':
        this.#addIndex(finding.index);
        break;
      case 'full-text':
        this.#addFullText(finding.table, message);
        break;
      case 'tree':
        this.#addTree(finding.rootPage);
        break;
      case 'table':
        this.lasting.add(finding.table);
        break;
      case 'file':
        this.lasting.add(message);
        break;
      case 'constraint':
        break;
    }
  }

  #addIndex(name: string): void {
    const index = this.#schema.find((each) => each.type === 'index' && each.name === name);
    // The key of a WITHOUT ROWID table bears the name of an index that the schema does not list.
    if (index === undefined) this.lasting.add(name);
    else this.indexes.add(name);
  }

  #addFullText(name: string | null, message: string): void {
    const known = this.#fullTextTables.filter((each) => name === null || each.name === name);
    if (known.length === 0) this.lasting.add(message);
    for (const each of known) this.fullText.add(each.name);
  }

  #addTree(rootPage: number): void {
    const object = this.#schema.find((each) => each.rootPage === rootPage);
    if (object === undefined || rootPage === 1) {
      this.lasting.add(rootPage === 1 ? 'sqlite_schema' : `tree ${rootPage}`);
      return;
    }
    const owner = this.#fullTextTables.find(({ derived }) => derived.has(object.table));
    if (owner !== undefined) this.fullText.add(owner.name);
    else if (object.type === 'index') this.indexes.add(object.name);
    else {
      this.lasting.add(object.name);
      return;
    }
    this.brokenTrees.set(rootPage, object);
  }
}

// How a check ends when it meets damage that it has already named.
const CHECK_GAVE_UP = /^database disk image is malformed$/;

/** Sorts findings by what they concern. Without a schema only free space can be told from the rest. */
export function readDamage(messages: readonly string[], schema: readonly SchemaObject[]): Damage {
  const named = messages.filter((message) => !CHECK_GAVE_UP.test(message));
  const reader = new DamageReader(schema);
  for (const message of named.length > 0 ? named : messages) {
    reader.add(parseFinding(message), message);
  }
  return {
    brokenTrees: [...reader.brokenTrees.values()],
    indexes: reader.indexes,
    fullText: reader.fullText,
    freelist: reader.freelist,
    space: reader.space,
    lasting: [...reader.lasting],
  };
}
