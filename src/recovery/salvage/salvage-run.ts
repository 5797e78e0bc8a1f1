import type { Activity } from '../../kernel/activity.ts';
import { cannot } from '../../kernel/errors.ts';
import { orphanLeaves } from '../../sqlite/btree/orphan-pages.ts';
import { readFreelist } from '../../sqlite/format/freelist.ts';
import type { DatabaseHeader } from '../../sqlite/header.ts';
import type { SchemaObject } from '../damage.ts';
import type { ForeignRows } from '../foreign-rows.ts';
import type { SalvagedTable } from '../report.ts';
import type { DamagedSource } from './damaged-source.ts';
import { deferOrphans } from './defer-orphans.ts';
import { fillRowidTable } from './fill-rowid-table.ts';
import { adoptKeyedOrphans } from './keyed-orphans.ts';
import { KeyedTable } from './keyed-table.ts';
import {
  attachVirtualTables,
  createRest,
  createTables,
  type DatabaseTraits,
  rebuildFullText,
  traitsOf,
} from './new-database.ts';
import { placeDeferred } from './place-deferred.ts';
import { RowidTable } from './rowid-table.ts';
import { mergeSchemas, type SalvageSchema, SEQUENCE_TABLE, sortSchema } from './salvage-schema.ts';
import type { SalvageTarget } from './salvage-target.ts';
import { readSequences, type Sequences, writeSequences } from './sequences.ts';
import type { SnapshotSource } from './snapshot-source.ts';
import { tablesAtTheirRoots } from './table-roots.ts';
import { readTableShape } from './table-shape.ts';

export interface RunResult {
  readonly tables: SalvagedTable[];
  readonly foreignRows: readonly ForeignRows[];
  readonly doubtfulRows: number;
}

/** Schemas below this format know no descending indexes: their trees ascend whatever the SQL says. */
const DESCENDING_FORMAT = 4;

/** The steps of a salvage, in the order that ranks rows: in place, out of place, adopted, of the snapshot. */
export class SalvageRun {
  readonly #source: DamagedSource;
  readonly #snapshot: SnapshotSource | null;
  readonly #target: SalvageTarget;
  readonly #activity: Activity;
  readonly #rowidTables: RowidTable[] = [];
  readonly #keyedTables: KeyedTable[] = [];

  constructor(
    source: DamagedSource,
    snapshot: SnapshotSource | null,
    target: SalvageTarget,
    activity: Activity,
  ) {
    this.#source = source;
    this.#snapshot = snapshot;
    this.#target = target;
    this.#activity = activity;
  }

  async run(schemaFrom: 'damaged' | 'snapshot'): Promise<RunResult> {
    const objects = this.#schemaObjects(schemaFrom);
    const schema = sortSchema(objects);
    if (schema.tables.length === 0 && schema.virtualTables.length === 0 && !this.#isEmpty()) {
      throw cannot('RECOVERY_FAILED', 'salvage', 'database', 'no schema can be read');
    }
    const { database } = this.#target;
    const { signal } = this.#activity;
    const renamed = createTables(database, this.#traits(), schema);
    const sequences = this.#sequences(objects);
    let homelessRows = 0;
    await this.#target.inTransactions(async () => {
      await this.#walkTables(schema, renamed);
      homelessRows = await this.#placeDeferred();
      await adoptKeyedOrphans(this.#source, this.#snapshot, this.#keyedTables);
      await this.#fill(schema);
    });
    this.#activity.progress({ phase: 'salvage: indexes' });
    writeSequences(database, [sequences, ...this.#snapshotSequences(schema)]);
    createRest(database, schema, signal);
    const attached = attachVirtualTables(database, schema.virtualTables);
    rebuildFullText(database, attached, signal);
    return this.#result(schema, sequences, homelessRows);
  }

  /** True when the database has no table, and no page that a table could have left. */
  #isEmpty(): boolean {
    const { pages, claims, schemaComplete } = this.#source;
    const freelist = schemaComplete ? readFreelist(pages) : null;
    if (freelist?.ok !== true) return false;
    const free = new Set([...freelist.trunks, ...freelist.leaves]);
    return orphanLeaves(pages, claims, free).next().done === true;
  }

  #schemaObjects(schemaFrom: 'damaged' | 'snapshot'): readonly SchemaObject[] {
    const { schema, schemaComplete } = this.#source;
    if (this.#snapshot === null) return schema;
    if (schemaFrom === 'snapshot') return this.#snapshot.schema;
    return schemaComplete ? schema : mergeSchemas(schema, this.#snapshot.schema);
  }

  #traits(): DatabaseTraits {
    const header: DatabaseHeader | null = this.#source.header;
    if (header !== null) return traitsOf(header);
    const { pageBytes, encoding } = this.#source.pages;
    return { pageBytes, encoding, autoVacuum: 'none', userVersion: 0, applicationId: 0 };
  }

  #sequences(objects: readonly SchemaObject[]): Sequences {
    const root = objects.find(({ name }) => name === SEQUENCE_TABLE)?.rootPage ?? 0;
    if (root === 0) return new Map();
    return readSequences(this.#source.pages, root, this.#source.claims);
  }

  /** Of tables that there still are: those that were dropped since the snapshot take no part. */
  #snapshotSequences({ tables }: SalvageSchema): Sequences[] {
    const names = new Set(tables.map(({ name }) => name));
    const known = this.#snapshot?.sequences ?? new Map<string, bigint>();
    return [new Map([...known].filter(([name]) => names.has(name)))];
  }

  async #walkTables(
    { tables }: SalvageSchema,
    renamed: ReadonlyMap<string, string>,
  ): Promise<void> {
    const { pages, claims, header } = this.#source;
    const descends = (header?.schemaFormat ?? DESCENDING_FORMAT) >= DESCENDING_FORMAT;
    const { database } = this.#target;
    const placed = tablesAtTheirRoots(pages, database, this.#source.schema, tables);
    for (const { name, rootPage } of placed) {
      this.#activity.signal.throwIfAborted();
      this.#activity.progress({ phase: `salvage: ${name}` });
      const shape = readTableShape(database, renamed.get(name) ?? name);
      if (shape === null)
        throw cannot('RECOVERY_FAILED', 'salvage', name, 'its definition makes no table');
      if (shape.withoutRowid) {
        const table = new KeyedTable(this.#target, shape);
        this.#keyedTables.push(table);
        await table.walk(pages, rootPage, claims, descends);
      } else {
        const table = new RowidTable(
          this.#target,
          shape,
          () => this.#snapshot?.fewestValues(name) ?? null,
        );
        this.#rowidTables.push(table);
        await table.walk(pages, rootPage, claims);
      }
    }
  }

  async #placeDeferred(): Promise<number> {
    const accountedPages = await deferOrphans(this.#source, this.#snapshot, this.#target);
    return placeDeferred(this.#target, this.#rowidTables, {
      formerOwner: (page) => this.#snapshot?.ownerOf(page) ?? null,
      accountedPages,
      isKnown: ({ shape }, { rowid, record }) =>
        this.#snapshot?.table(shape, this.#source.pages.encoding)?.has(rowid, record) === true,
    });
  }

  /** An index that is made again needs no rows of old. */
  async #fill({ derived }: SalvageSchema): Promise<void> {
    if (this.#snapshot === null) return;
    const { encoding } = this.#source.pages;
    for (const table of [...this.#rowidTables, ...this.#keyedTables]) {
      if (derived.has(table.shape.name)) continue;
      const rows = this.#snapshot.table(table.shape, encoding);
      if (rows === null) continue;
      if (table instanceof KeyedTable) await table.fill(rows);
      else await fillRowidTable(table, rows, this.#snapshot, this.#source);
    }
  }

  #result({ derived }: SalvageSchema, sequences: Sequences, homelessRows: number): RunResult {
    const rowid = this.#rowidTables.filter(({ shape }) => !derived.has(shape.name));
    const keyed = this.#keyedTables.filter(({ shape }) => !derived.has(shape.name));
    const schemaKnown = this.#source.schemaComplete || this.#snapshot !== null;
    let doubtfulRows = homelessRows + (schemaKnown ? 0 : 1);
    for (const table of rowid) {
      const highest = sequences.get(table.shape.name) ?? null;
      if (!this.#standsIn(table)) doubtfulRows += table.unaccounted(highest);
    }
    for (const table of keyed) {
      if (!this.#standsIn(table)) doubtfulRows += table.unaccounted;
    }
    const foreignRows = rowid
      .filter(({ foreignRowids }) => foreignRowids.length > 0)
      .map(({ shape, foreignRowids }) => ({ table: shape.name, rowids: foreignRowids }));
    return { tables: [...rowid, ...keyed].map(({ tally }) => tally), foreignRows, doubtfulRows };
  }

  /** True when the snapshot has the rows that a table lost, as far as they were there then. */
  #standsIn({ shape }: RowidTable | KeyedTable): boolean {
    return this.#snapshot?.table(shape, this.#source.pages.encoding) != null;
  }
}
