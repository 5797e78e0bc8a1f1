import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Activity } from '../../kernel/activity.ts';
import type { ForeignRows } from '../foreign-rows.ts';
import type { SalvageReport } from '../report.ts';
import { openDamaged, readHeaderOf } from './damaged-source.ts';
import { DeferredRows } from './deferred-rows.ts';
import { openForSalvage } from './new-database.ts';
import { RejectFile } from './reject-file.ts';
import { SalvageRun } from './salvage-run.ts';
import { SalvageTarget } from './salvage-target.ts';
import { SnapshotSource } from './snapshot-source.ts';

export interface SalvageRequest {
  /** A private copy, with its WAL beside it where that is to count; no connection has it open. */
  readonly damaged: string;
  /** Image of the newest sound snapshot, or null. It is not changed. */
  readonly snapshot: string | null;
  /** Whose definitions count: the damaged file's, completed from the snapshot where they cannot be read, or the snapshot's. */
  readonly schemaFrom: 'damaged' | 'snapshot';
  /** A new directory for the new database and what is needed on the way. */
  readonly directory: string;
}

export interface Salvaged {
  /** A single file in rollback mode. */
  readonly path: string;
  readonly report: SalvageReport;
  /** What SQLite shows in a table of the damaged file although it cannot be its rows. */
  readonly foreignRows: readonly ForeignRows[];
  /**
   * Rows that may have been there, that are not here and that no snapshot could stand in for. Where a snapshot does,
   * nothing else knows more than what is here.
   */
  readonly doubtfulRows: number;
}

const NEW_NAME = 'salvaged.db';
/** Beside the new database. */
export const REJECTS_NAME = 'salvage-rejects.jsonl';

/**
 * Builds a new database from every row of a damaged one that can still be decoded whole, completed from the snapshot in
 * the ranges of keys that the damage took, and only there.
 * @throws RECOVERY_FAILED when there is no schema; what SQLite throws when it refuses the schema
 */
export async function salvageDatabase(
  request: SalvageRequest,
  activity: Activity,
): Promise<Salvaged> {
  const { damaged, directory } = request;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const known = request.snapshot === null ? null : readHeaderOf(request.snapshot);
  const source = openDamaged(damaged, known);
  const snapshot = request.snapshot === null ? null : SnapshotSource.open(request.snapshot);
  const encoding = source.pages.encoding;
  const deferred = new DeferredRows(join(directory, 'deferred.db'), encoding);
  const rejects = new RejectFile(join(directory, REJECTS_NAME));
  const path = join(directory, NEW_NAME);
  const database = openForSalvage(path);
  try {
    const target = new SalvageTarget(database, deferred, rejects, activity);
    const run = new SalvageRun(source, snapshot, target, activity);
    const { tables, foreignRows, doubtfulRows } = await run.run(request.schemaFrom);
    const { filledSample } = target;
    const report = { tables, filledSample, rejectedSample: rejects.sample };
    return { path, report, foreignRows, doubtfulRows };
  } finally {
    database.close();
    deferred.close();
    rejects.close();
    snapshot?.close();
    source.pages.close();
  }
}
