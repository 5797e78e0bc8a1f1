import { closeSync, openSync, writeSync } from 'node:fs';
import type { SampledRow } from '../report.ts';
import { SAMPLE_MAX } from './salvage-report.ts';

/** Rows that were found but not put into a table, one JSON line each, for a person to look at. */

export interface RejectedRow {
  readonly table: string | null;
  readonly page: number;
  readonly key: string;
  readonly reason: string;
  /** As `describeValue` writes them. */
  readonly values: readonly unknown[];
}

const FILE_BYTES_MAX = 64 * 1024 * 1024;

export class RejectFile {
  readonly #descriptor: number;
  readonly sample: SampledRow[] = [];
  #bytes = 0;

  /** @param path a new file, in scratch */
  constructor(path: string) {
    this.#descriptor = openSync(path, 'wx', 0o600);
  }

  /** Beyond 64 MiB rows are no longer written; the tables' tallies count them all. */
  add(row: RejectedRow): void {
    const { table, key, reason } = row;
    if (this.sample.length < SAMPLE_MAX) this.sample.push({ table, key, reason });
    const line = Buffer.from(`${JSON.stringify(row)}\n`);
    if (this.#bytes + line.length > FILE_BYTES_MAX) return;
    this.#bytes += line.length;
    writeSync(this.#descriptor, line);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
