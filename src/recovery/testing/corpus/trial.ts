import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quietActivity } from '../../../kernel/activity.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { HoldfastError, messageOf } from '../../../kernel/errors.ts';
import { assessDatabase, type Condition } from '../../assess.ts';
import { salvageDatabase } from '../../salvage/salvage-database.ts';
import { nothingRead, type Reading, readAgainst } from './reading.ts';
import { type KeyTable, parseTruthKey } from './truth-key.ts';

/** One database of the corpus: what our check says of it, what SELECT shows of it, and what salvage saves of it. */
export interface CorpusVerdict {
  readonly subject: string;
  readonly condition: Condition;
  readonly reason: string;
  /** Rows of the key that were there in the end. */
  readonly rows: number;
  readonly deletedRows: number;
  readonly select: Reading;
  readonly salvage: Reading;
  /** Rows that salvage says may be missing from its result. */
  readonly doubtfulRows: number | null;
}

async function salvageCopy(
  copy: string,
  directory: string,
  tables: readonly KeyTable[],
): Promise<Pick<CorpusVerdict, 'salvage' | 'doubtfulRows'>> {
  try {
    const { path, doubtfulRows } = await salvageDatabase(
      { damaged: copy, snapshot: null, schemaFrom: 'damaged', directory },
      quietActivity(),
    );
    return { salvage: readAgainst(path, tables), doubtfulRows };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { salvage: nothingRead(tables, messageOf(error)), doubtfulRows: null };
  }
}

/** @throws only what is a defect: any bytes are read without an error that is not ours */
export async function tryCorpusDatabase(database: string, key: string): Promise<CorpusVerdict> {
  const { subject, tables } = parseTruthKey(readFileSync(key, 'utf8'));
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-corpus-'));
  const copyAs = (name: string): string => {
    copyFileSync(database, join(directory, name));
    return join(directory, name);
  };
  try {
    const { condition, reason } = await assessDatabase(
      {
        path: copyAs('app.db'),
        level: 'full',
        scratchDirectory: join(directory, 'scratch'),
        baseline: null,
        snapshots: null,
      },
      quietActivity(),
      systemClock,
    );
    const salvaged = await salvageCopy(copyAs('damaged.db'), join(directory, 'new'), tables);
    return {
      subject,
      condition,
      reason,
      rows: tables.reduce((count, { rows }) => count + rows.length, 0),
      deletedRows: tables.reduce((count, { deletedRows }) => count + deletedRows.length, 0),
      select: readAgainst(copyAs('select.db'), tables),
      ...salvaged,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
