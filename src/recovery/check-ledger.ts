import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makeDirectory, writeFileDurably } from '../files/durable.ts';
import { systemCode } from '../kernel/errors.ts';
import { lastLook } from './last-look-schema.ts';
import { databaseStates } from './report.ts';

/** What is known of each database from its last check, so that a boot repeats neither checks nor failed repairs. */

const ledgerEntry = z.object({
  /** `databaseFingerprint` at the check. */
  fingerprint: z.string(),
  level: z.enum(['quick', 'full']),
  at: z.string(),
  bootId: z.string().nullable(),
  state: z.enum(databaseStates),
  reason: z.string(),
  /** True when recovery tried all it can: with the same files and snapshots it would end the same way. */
  attempted: z.boolean(),
  /** The newest snapshot at that time: with a newer one, recovery has more to work with. */
  newestSnapshotId: z.string().nullable(),
  reportId: z.string().nullable(),
  /** The policy that the attempt was made under, as JSON: another one may allow what it refused. */
  policy: z.string().optional(),
  /** When recovery last replaced the file: snapshots up to then say nothing about steps back in time. */
  replacedAt: z.string().nullable(),
  /** What was in the WAL alone, at the last check that found the database sound; absent or null when nothing was. */
  look: lastLook.nullable().optional(),
});
export type LedgerEntry = z.infer<typeof ledgerEntry>;

const ledgerDocument = z.object({
  format: z.literal(1),
  databases: z.record(z.string(), ledgerEntry),
});

const ENTRIES_MAX = 10_000;

/** The file is rewritten whole at each change; a ledger that cannot be read counts as empty, which costs checks only. */
export class CheckLedger {
  readonly #path: string;
  readonly #entries: Map<string, LedgerEntry>;

  private constructor(path: string, entries: Map<string, LedgerEntry>) {
    this.#path = path;
    this.#entries = entries;
  }

  static async open(stateDirectory: string): Promise<CheckLedger> {
    await makeDirectory(stateDirectory);
    const path = join(stateDirectory, 'checks.json');
    return new CheckLedger(path, await readEntries(path));
  }

  /** By the absolute path of the database. */
  get(database: string): LedgerEntry | null {
    return this.#entries.get(database) ?? null;
  }

  async set(database: string, entry: LedgerEntry): Promise<void> {
    // Re-inserted at the end: the oldest entries go first.
    this.#entries.delete(database);
    this.#entries.set(database, entry);
    const kept = [...this.#entries].slice(-ENTRIES_MAX);
    const document = { format: 1, databases: Object.fromEntries(kept) };
    await writeFileDurably(this.#path, `${JSON.stringify(document)}\n`);
  }
}

async function readEntries(path: string): Promise<Map<string, LedgerEntry>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return new Map();
    throw error;
  }
  try {
    return new Map(Object.entries(ledgerDocument.parse(JSON.parse(text)).databases));
  } catch {
    return new Map();
  }
}
