import { HoldfastError, messageOf, systemCode, toErrorDocument } from '../kernel/errors.ts';
import { shortId } from '../kernel/ids.ts';
import { parseFinding } from '../sqlite/integrity-messages.ts';
import type { ChosenCandidate } from './choose-candidate.ts';
import { acceptCommand, lossOf } from './loss-policy.ts';
import type { Repair } from './repair-database.ts';
import type { CandidateReport, DatabaseState, RecoveryReport } from './report.ts';

/** What came of one database: as recovery hands it on, and as the report keeps it. */

export interface DatabaseOutcome {
  readonly path: string;
  readonly state: DatabaseState;
  /** One sentence. */
  readonly reason: string;
  readonly reportId?: string;
  /** In a dry run of a repair: what was tried, and which of it would be installed. */
  readonly candidates?: readonly CandidateReport[];
  readonly rung?: string | null;
  /** Set where not the database but a disk that we write to was in the way. */
  readonly failure?: DiskFailure;
}

type DiskFailure = 'NO_SPACE' | 'IO_ERROR';

/** Before it is written down. */
export interface Finding {
  readonly state: DatabaseState;
  readonly reason: string;
  readonly cause: readonly string[];
  readonly repair: Repair | null;
  readonly failure?: DiskFailure;
  /** Of the files as they are now. */
  readonly fingerprint: string;
}

const CAUSES_MAX = 20;

/** What stopped the work on one database, as its finding: whoever uses it is in the way, or a person is needed. */
export function failureFinding(error: unknown, fingerprint: string): Finding {
  const code = error instanceof HoldfastError ? error.code : null;
  const state = code === 'TARGET_BUSY' || code === 'BUSY' ? 'busy' : 'needs-operator';
  const { code: told } = toErrorDocument(error);
  // SQLite's words for a disk that fails say nothing of how.
  const reason =
    told === 'IO_ERROR' ? `${systemCode(error)}: ${messageOf(error)}` : messageOf(error);
  const finding = { state, reason, cause: [reason], repair: null, fingerprint } as const;
  return told === 'NO_SPACE' || told === 'IO_ERROR' ? { ...finding, failure: told } : finding;
}

/** A table that damage cut short may have had more rows than anybody can count. */
export function describeLoss(chosen: ChosenCandidate): string {
  const { rows } = chosen;
  const { rows: lost } = lossOf(chosen);
  if (rows === null)
    return '; SQLite can open nothing of the damaged file, so that the loss cannot be counted';
  const cut = rows.filter(({ readToEnd }) => !readToEnd).map(({ table }) => table);
  if (cut.length === 0) return lost === 0 ? '' : `; ${lost} rows lost`;
  return `; at least ${lost} rows lost; not to be read to the end: ${cut.slice(0, 5).join(', ')}`;
}

/** Pages that belong to nobody follow from the damage and are many: what else was found comes first. */
function causesOf(messages: readonly string[]): string[] {
  const isSpace = (message: string): boolean => parseFinding(message).about === 'space';
  const others = messages.filter((message) => !isSpace(message));
  return [...others, ...messages.filter(isSpace)].slice(0, CAUSES_MAX);
}

/** What was installed, or why nothing was. `fingerprint` is that of the installed file. */
export function repairFinding(
  found: Omit<Finding, 'state'>,
  repair: Repair,
  database: string,
): Finding {
  const { chosen, objection } = repair;
  if (repair.sound) return { ...found, state: 'ok', reason: 'sound at the second look' };
  if (chosen === null) {
    const reason = `nothing passed: ${found.reason}`;
    const { diskFailure } = repair;
    if (diskFailure === undefined) return { ...found, repair, state: 'needs-operator', reason };
    const why = `${reason}; not all was tried to its end, since the disk failed (${diskFailure})`;
    return { ...found, repair, state: 'needs-operator', reason: why, failure: 'IO_ERROR' };
  }
  const way = `${chosen.name} (${chosen.label})`;
  if (objection !== null) {
    const reason = `damaged; ${way} would repair it, but ${objection}; to install it: ${acceptCommand(database)}`;
    return { ...found, repair, state: 'needs-operator', reason };
  }
  if (!repair.installed) {
    const reason = `damaged; ${way} would repair it${describeLoss(chosen)}`;
    return { ...found, repair, state: 'needs-operator', reason };
  }
  const reason = `${chosen.name}: ${chosen.label}${describeLoss(chosen)}`;
  return { ...found, repair, state: 'recovered', reason };
}

export type ReportContext = Pick<
  RecoveryReport,
  'id' | 'at' | 'jobId' | 'sourceId' | 'database' | 'dryRun' | 'durationMs'
>;

export function reportOf(finding: Finding, context: ReportContext): RecoveryReport {
  const { state, reason, cause, repair } = finding;
  const chosen = repair?.chosen ?? null;
  const snapshot = chosen?.snapshot ?? null;
  const ageMs = Date.parse(context.at) - Date.parse(snapshot?.capturedAt ?? context.at);
  return {
    ...context,
    state,
    reason,
    cause: causesOf(cause),
    rung: chosen?.name ?? null,
    candidates: [...(repair?.tried ?? [])],
    rows: [...(chosen?.rows ?? [])],
    salvage: chosen?.salvage ?? null,
    rejects: repair?.rejects ?? null,
    snapshot:
      snapshot === null
        ? null
        : { id: snapshot.id, capturedAt: snapshot.capturedAt, ageMs: Math.max(0, ageMs) },
    refusal:
      repair == null || repair.objection === null
        ? null
        : { reason: repair.objection, command: acceptCommand(context.database) },
    quarantineId: repair?.quarantineId ?? null,
  };
}

/** What a person needs to know of an outcome, in one line. */
export function describeOutcome({ path, state, reason, reportId }: DatabaseOutcome): string {
  const report = reportId === undefined ? '' : ` (report ${shortId(reportId)})`;
  return `${path}: ${state}: ${reason}${report}`;
}
