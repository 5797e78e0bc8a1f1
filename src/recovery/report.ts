import { z } from 'zod';

/** What recovery found and did about one database; kept as `<state>/recovery/<id>.json`. */

export const databaseStates = [
  'ok',
  'skipped',
  'recovered',
  'needs-operator',
  'busy',
  'regressed',
  'encrypted',
  'missing',
] as const;

/**
 * `ok`, `skipped`: may be used. `recovered`: was repaired or rolled back. `busy`: could not be looked at, or not be
 * replaced, for another process uses it. The others are left untouched and wait for a person.
 */
export type DatabaseState = (typeof databaseStates)[number];

export const gateNames = ['integrity', 'schema', 'foreign-keys', 'full-text'] as const;
export type GateName = (typeof gateNames)[number];

const gateResult = z.object({
  gate: z.enum(gateNames),
  ok: z.boolean(),
  /** What it found, bounded; may say something although ok. */
  messages: z.array(z.string()),
});
export type GateResult = z.infer<typeof gateResult>;

const rowCount = z.int().nonnegative();

/** Rows of one table, the candidate against what could still be read of the damaged file. */
const tableRows = z.object({
  table: z.string(),
  /** Rows read from the damaged file; null when the table could not be opened there. */
  readable: rowCount.nullable(),
  /** False when reading ended at damage, so that there may have been more rows. */
  readToEnd: z.boolean(),
  /** Rows in the candidate. */
  total: rowCount,
  /** Readable rows that the candidate has exactly. */
  kept: rowCount,
  /** Readable rows whose key the candidate has with other values. */
  stale: rowCount,
  /** Readable rows whose key the candidate does not have. */
  lost: rowCount,
  /** Rows of the candidate that could not be read from the damaged file. */
  filled: rowCount,
});
export type TableRows = z.infer<typeof tableRows>;

const candidateReport = z.object({
  candidate: z.string(),
  /** Which of the candidate's ways this was. */
  attempt: z.string(),
  snapshotId: z.string().nullable(),
  /** Why it could not be built; null when it was. */
  failure: z.string().nullable(),
  gates: z.array(gateResult),
  /** Null when it was not scored; `score.ts` says what the numbers count. Lower is better, in this order. */
  score: z.object({ notKept: rowCount, missing: rowCount, resurrected: rowCount }).nullable(),
});
export type CandidateReport = z.infer<typeof candidateReport>;

const salvagedTable = z.object({
  table: z.string(),
  /** Rows found where the table's tree has them. */
  inPlace: rowCount,
  /** Rows found on a page that hung in the wrong place. */
  displaced: rowCount,
  /** Rows found on pages that belonged to no tree. */
  adopted: rowCount,
  /** Rows taken from the snapshot, for the damaged file lost theirs. */
  filled: rowCount,
  /** Rows found but not taken over. */
  rejected: rowCount,
  /** Rows known to have been there and in no way to be had. */
  lost: rowCount,
});
export type SalvagedTable = z.infer<typeof salvagedTable>;

const sampledRow = z.object({ table: z.string().nullable(), key: z.string(), reason: z.string() });
export type SampledRow = z.infer<typeof sampledRow>;

const salvageReport = z.object({
  tables: z.array(salvagedTable),
  /** The first rows that were filled in. */
  filledSample: z.array(sampledRow),
  /** The first rows that were found but not taken over. */
  rejectedSample: z.array(sampledRow),
});
export type SalvageReport = z.infer<typeof salvageReport>;

export const recoveryReport = z.object({
  id: z.string(),
  at: z.string(),
  jobId: z.string().nullable(),
  sourceId: z.string(),
  /** Absolute path of the database. */
  database: z.string(),
  state: z.enum(databaseStates),
  /** One sentence. */
  reason: z.string(),
  /** True when nothing was installed because none of it was meant to be. */
  dryRun: z.boolean(),
  /** What the check said, or what was noticed; bounded. */
  cause: z.array(z.string()),
  /** The candidate that was installed; in a dry run, or where it was refused, the one that would be. */
  rung: z.string().nullable(),
  /** Why policy left it to a person to install the candidate, and the command that does; null when it did not. */
  refusal: z.object({ reason: z.string(), command: z.string() }).nullable().default(null),
  candidates: z.array(candidateReport),
  /** Of the chosen candidate; empty without one. */
  rows: z.array(tableRows),
  /** What became of the rows of a database that was built row by row; null for any other repair. */
  salvage: salvageReport.nullable().default(null),
  /** Where the rows are that salvage found and put into no table, as JSON lines; absent or null without any. */
  rejects: z.object({ file: z.string(), bytes: z.number().nonnegative() }).nullable().optional(),
  /** The snapshot that the chosen candidate took content from. */
  snapshot: z
    .object({ id: z.string(), capturedAt: z.string(), ageMs: z.number().nonnegative() })
    .nullable(),
  quarantineId: z.string().nullable(),
  durationMs: z.number().nonnegative(),
});
export type RecoveryReport = z.infer<typeof recoveryReport>;
