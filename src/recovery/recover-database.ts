import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { listQuarantine } from '../files/quarantine/quarantine.ts';
import type { Activity } from '../kernel/activity.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { newId } from '../kernel/ids.ts';
import type { CheckLevel } from '../sqlite/database-check.ts';
import { statFamily } from '../sqlite/family.ts';
import { databaseFingerprint } from '../sqlite/fingerprint.ts';
import { assessDatabase, type DatabaseAssessment } from './assess.ts';
import type { CheckLedger, LedgerEntry } from './check-ledger.ts';
import { deadlineMs, withDeadline } from './deadline.ts';
import { decideCheck } from './decide-check.ts';
import {
  type DatabaseOutcome,
  type Finding,
  failureFinding,
  repairFinding,
  reportOf,
} from './finding.ts';
import { lookAt } from './last-look.ts';
import type { LastLook } from './last-look-schema.ts';
import type { LossPolicy } from './loss-policy.ts';
import { type Repair, repairDatabase } from './repair-database.ts';
import type { CandidateReport, DatabaseState } from './report.ts';
import { writeReport } from './report-store.ts';
import type { DatabaseSnapshot, SnapshotDatabases } from './snapshot-databases.ts';

/** One database: whether to look at it, what state it is in, what is done about it, and what is remembered. */

export interface DatabaseContext {
  readonly sourceId: string;
  readonly stateDirectory: string;
  /** A path of its own; made and removed again. */
  readonly scratchDirectory: string;
  readonly jobId: string | null;
  readonly forbiddenPaths: readonly string[];
  readonly deadlineMsPerGigabyte: number;
  readonly mode: 'if-needed' | 'force' | 'check-only';
  readonly dryRun: boolean;
  readonly policy: LossPolicy;
  readonly snapshots: SnapshotDatabases | null;
  /** The full id of the one snapshot that a repair may use; null: any. */
  readonly from: string | null;
  readonly ledger: CheckLedger;
  readonly shutdownWasClean: boolean;
  readonly bootId: string | null;
}

const GATE_MESSAGES_MAX = 3;

/** Without the tail of long messages, which the report has. */
const inShort = (tried: CandidateReport): CandidateReport => ({
  ...tried,
  gates: tried.gates.map((each) => ({
    ...each,
    messages: each.messages.slice(0, GATE_MESSAGES_MAX),
  })),
});

export class DatabaseRecovery {
  readonly #path: string;
  readonly #context: DatabaseContext;
  readonly #clock: Clock;
  readonly #entry: LedgerEntry | null;
  readonly #startedMs: number;

  constructor(path: string, context: DatabaseContext, clock: Clock) {
    this.#path = path;
    this.#context = context;
    this.#clock = clock;
    this.#entry = context.ledger.get(path);
    this.#startedMs = clock.monotonicMs();
  }

  /** @throws what aborts the whole job; everything about this one database is its outcome */
  async run(activity: Activity): Promise<DatabaseOutcome> {
    const fingerprint = await databaseFingerprint(this.#path);
    const baseline = (await this.#context.snapshots?.newestSound(this.#path)) ?? null;
    const known = this.#alreadyTried(fingerprint);
    if (known !== null) return known;
    const decision = decideCheck({
      mode: this.#context.mode,
      fingerprint,
      entry: this.#entry,
      snapshot:
        baseline === null ? null : { id: baseline.id, fingerprint: baseline.database.fingerprint },
      shutdownWasClean: this.#context.shutdownWasClean,
      bootId: this.#context.bootId,
    });
    if (!decision.check) {
      return { path: this.#path, state: 'skipped', reason: decision.reason };
    }
    const finding = await this.#find(decision.level, baseline, fingerprint, activity);
    return this.#remember(finding, decision.level);
  }

  /** A repair that failed would fail again while neither the files nor the snapshots have changed. */
  #alreadyTried(fingerprint: string): DatabaseOutcome | null {
    const entry = this.#entry;
    const { mode, dryRun, from } = this.#context;
    if (entry === null || mode !== 'if-needed' || dryRun || from !== null) return null;
    if (entry.policy !== this.#policyText()) return null;
    if (!entry.attempted || entry.state !== 'needs-operator') return null;
    if (entry.fingerprint !== fingerprint) return null;
    if (entry.newestSnapshotId !== this.#newestSnapshotId()) return null;
    const { state, reason, reportId } = entry;
    return { path: this.#path, state, reason, ...(reportId === null ? {} : { reportId }) };
  }

  #policyText(): string {
    return JSON.stringify(this.#context.policy);
  }

  #newestSnapshotId(): string | null {
    return this.#context.snapshots?.newestId ?? null;
  }

  async #find(
    level: CheckLevel,
    baseline: DatabaseSnapshot | null,
    fingerprint: string,
    activity: Activity,
  ): Promise<Finding> {
    const { deadlineMsPerGigabyte, scratchDirectory } = this.#context;
    const bytes = (await statFamily(this.#path)).main?.bytes ?? 0;
    const limitMs = deadlineMs(bytes, deadlineMsPerGigabyte);
    try {
      return await withDeadline(activity, this.#clock, limitMs, this.#path, async (limited) => {
        const assessment = await this.#assess(level, baseline, limited);
        return this.#act(assessment, limited);
      });
    } catch (error) {
      activity.signal.throwIfAborted();
      return failureFinding(error, fingerprint);
    } finally {
      await rm(scratchDirectory, { recursive: true, force: true });
    }
  }

  /** Snapshots from before the file was last replaced, by us or by a restore, say nothing about steps back. */
  async #replacedAt(): Promise<string> {
    const restores = (await listQuarantine(this.#context.stateDirectory)).filter(
      ({ reason, items }) =>
        reason === 'restore' && items.some(({ target }) => target === this.#path),
    );
    return [this.#entry?.replacedAt ?? '', ...restores.map(({ at }) => at)].sort().at(-1)!;
  }

  /** A snapshot taken since, as a replacement, made what was there then the truth. */
  #lookSince(capturedAt: string, replacedAt: string): LastLook | null {
    const look = this.#entry?.look ?? null;
    if (look === null) return null;
    const at = isoTime(look.atMs);
    return at > capturedAt && at > replacedAt ? look : null;
  }

  async #assess(
    level: CheckLevel,
    baseline: DatabaseSnapshot | null,
    activity: Activity,
  ): Promise<DatabaseAssessment> {
    const replacedAt = await this.#replacedAt();
    const request = {
      path: this.#path,
      level,
      scratchDirectory: join(this.#context.scratchDirectory, 'check'),
      baseline: baseline !== null && baseline.capturedAt > replacedAt ? baseline : null,
      snapshots: this.#context.snapshots,
      look: this.#lookSince(baseline?.capturedAt ?? '', replacedAt),
    };
    return assessDatabase(request, activity, this.#clock);
  }

  async #act(assessment: DatabaseAssessment, activity: Activity): Promise<Finding> {
    const { condition, reason, messages: cause, fingerprint, rotten = false } = assessment;
    const found = { reason, cause, repair: null, fingerprint };
    if (condition === 'unreadable') return { ...found, state: 'needs-operator' };
    if (condition !== 'corrupt') return { ...found, state: condition };
    if (this.#context.mode === 'check-only') {
      return { ...found, state: 'needs-operator', reason: `damaged, not repaired: ${reason}` };
    }
    const { snapshots, from, stateDirectory, jobId, sourceId } = this.#context;
    const { forbiddenPaths, policy, dryRun } = this.#context;
    const repair = await repairDatabase(
      {
        database: this.#path,
        stateDirectory,
        scratchDirectory: join(this.#context.scratchDirectory, 'repair'),
        jobId,
        sourceId,
        forbiddenPaths,
        snapshots: from === null ? snapshots : (snapshots?.limitedTo(from) ?? null),
        policy,
        fingerprint,
        messages: cause,
        rotten,
        dryRun,
      },
      this.#clock,
      activity,
    );
    return this.#repaired(found, repair, activity);
  }

  async #repaired(
    found: Omit<Finding, 'state'>,
    repair: Repair,
    activity: Activity,
  ): Promise<Finding> {
    if (!repair.installed) return repairFinding(found, repair, this.#path);
    // The installed file is read from the disk once more: what was staged was sound.
    const again = await this.#assess('quick', null, activity);
    const { fingerprint } = again;
    if (again.condition !== 'corrupt') {
      return repairFinding({ ...found, fingerprint }, repair, this.#path);
    }
    const reason = `damaged again as soon as it was repaired: ${again.reason}`;
    return { ...found, repair, fingerprint, state: 'needs-operator', reason };
  }

  #needsReport({ state }: Finding): boolean {
    return state !== 'ok' && state !== 'busy' && state !== 'skipped';
  }

  /** True when the same was found of the same files before, and needs no second report. */
  #isKnown({ state, fingerprint, repair }: Finding): boolean {
    const entry = this.#entry;
    if (entry === null || repair !== null) return false;
    return (
      entry.state === state &&
      entry.fingerprint === fingerprint &&
      entry.newestSnapshotId === this.#newestSnapshotId()
    );
  }

  async #remember(finding: Finding, level: CheckLevel): Promise<DatabaseOutcome> {
    const { state, reason, repair, fingerprint, failure } = finding;
    const at = isoTime(this.#clock.nowMs());
    let reportId = this.#isKnown(finding) ? (this.#entry?.reportId ?? null) : null;
    if (reportId === null && this.#needsReport(finding)) {
      reportId = newId(this.#clock.nowMs());
      await this.#report(finding, reportId, at);
    }
    if (state !== 'busy') {
      await this.#context.ledger.set(this.#path, {
        fingerprint,
        level,
        at,
        bootId: this.#context.bootId,
        state,
        reason,
        // What failed of our own disk is tried again once that works.
        attempted: repair !== null && !this.#context.dryRun && failure === undefined,
        newestSnapshotId: this.#newestSnapshotId(),
        reportId,
        policy: this.#policyText(),
        look: await this.#lookNow(state),
        replacedAt: repair?.installed === true ? at : (this.#entry?.replacedAt ?? null),
      });
    }
    return {
      path: this.#path,
      state,
      reason,
      ...(reportId === null ? {} : { reportId }),
      ...(failure === undefined ? {} : { failure }),
      ...(repair === null || !this.#context.dryRun
        ? {}
        : { candidates: repair.tried.map(inShort), rung: repair.chosen?.name ?? null }),
    };
  }

  /** What a step back is told by must outlive the finding: the file is as it is until a person decides. */
  async #lookNow(state: DatabaseState): Promise<LastLook | null> {
    if (state === 'ok') return lookAt(this.#path, this.#clock.nowMs());
    return state === 'recovered' ? null : (this.#entry?.look ?? null);
  }

  async #report(finding: Finding, id: string, at: string): Promise<void> {
    const { stateDirectory, jobId, sourceId, dryRun } = this.#context;
    const durationMs = this.#clock.monotonicMs() - this.#startedMs;
    const about = { id, at, jobId, sourceId, database: this.#path, dryRun, durationMs };
    await writeReport(stateDirectory, reportOf(finding, about));
  }
}
