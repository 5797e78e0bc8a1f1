import type { JobDocument, MethodResult } from '../../../src/protocol/method-map.ts';
import type { RpcClient } from '../../../src/rpc/client.ts';
import type { Application } from './application.ts';
import { APPLICATIONS, GRACE_MS, SCHEDULES } from './days-setup.ts';
import { type ExpectedSnapshot, expectedToStay } from './expected-retention.ts';
import { ExpectedSchedule } from './expected-schedules.ts';

type Result = Record<string, any>;

export interface KnownSnapshot extends ExpectedSnapshot {
  readonly source: string;
  /** Of the content; null where it holds a part of it alone. */
  readonly digest: string | null;
}

interface Failure {
  readonly kind: string;
  readonly source: string | null;
}

/** Kinds whose failures are alerts until one of them succeeds. */
const ALERTING: ReadonlySet<string> = new Set([
  'backup',
  'forget',
  'verify',
  'prune',
  'check',
  'recover',
]);
/** What else may change what a policy keeps of a source. */
const CHANGES_RETENTION: ReadonlySet<string> = new Set([
  'backup',
  'drill',
  'verify',
  'restore',
  'annotate',
]);
const FINISHED: JobDocument['status'][] = ['succeeded', 'failed', 'cancelled'];

/** What must be there, by an account of its own: fed with what jobs say they did, and held against what is. */
export class Model {
  readonly snapshots = new Map<string, KnownSnapshot>();
  readonly problems: string[] = [];
  readonly counts = {
    taken: 0,
    unchanged: 0,
    removed: 0,
    prunes: 0,
    drills: 0,
    verifications: 0,
    forgets: 0,
    ticks: 0,
  };
  /** Job failures that were provoked: each must come true once. */
  readonly expectedFailures: Failure[] = [];
  /** Snapshots that may be there without a job that tells: of restores, and of jobs that were killed. */
  readonly #mayAppear: { origin: string; source: string; digest: string | null }[] = [];
  readonly #removedAtMs = new Map<string, number>();
  /** When a prune began that did not come to its end; null once another one did. */
  #prunedInPartAtMs: number | null = null;
  readonly #lastRestoreMs = new Map<string, number>();
  readonly #standing = new Map<string, boolean>();
  readonly #schedules: readonly ExpectedSchedule[];
  readonly #applications: ReadonlyMap<string, Application>;
  #lastJobId: string | null = null;

  constructor(applications: ReadonlyMap<string, Application>, startMs: number) {
    this.#applications = applications;
    this.#schedules = SCHEDULES.map((kind) => new ExpectedSchedule(kind, startMs));
  }

  up(fromMs: number, toMs: number): void {
    for (const schedule of this.#schedules) schedule.up(fromMs, toMs);
  }

  down(fromMs: number, toMs: number): void {
    for (const schedule of this.#schedules) schedule.down(fromMs, toMs);
  }

  setBack(toMs: number): void {
    for (const schedule of this.#schedules) schedule.setBack(toMs);
  }

  of(source: string): KnownSnapshot[] {
    return [...this.snapshots.values()].filter((each) => each.source === source);
  }

  mayAppear(origin: string, source: string, digest: string | null): void {
    this.#mayAppear.push({ origin, source, digest });
  }

  restoredInPlace(source: string, atMs: number): void {
    this.#lastRestoreMs.set(source, atMs);
  }

  /** Takes in every job that ended, and compares what follows from them with what is listed. */
  async reconcile(client: RpcClient, nowMs: number): Promise<void> {
    const jobs = await this.#newJobs(client);
    for (const job of jobs) this.#take(job, nowMs);
    this.#checkTicks(jobs, nowMs);
    await this.#checkListing(client);
    this.#checkRetention(jobs);
    this.#mayAppear.length = 0;
  }

  async #newJobs(client: RpcClient): Promise<JobDocument[]> {
    const fresh: JobDocument[] = [];
    let cursor: string | null = null;
    pages: do {
      const page: MethodResult<'job.list'> = await client.call('job.list', {
        limit: 100,
        ...(cursor === null ? {} : { cursor }),
      });
      for (const { id } of page.items) {
        if (id === this.#lastJobId) break pages;
        fresh.unshift(await client.call('job.get', { id }));
      }
      cursor = page.nextCursor;
    } while (cursor !== null);
    this.#lastJobId = fresh.at(-1)?.id ?? this.#lastJobId;
    const waiting = fresh.filter(({ status }) => !FINISHED.includes(status));
    for (const { kind, status } of waiting) this.problems.push(`${kind} is still ${status}`);
    return fresh;
  }

  #take(job: JobDocument, nowMs: number): void {
    const { kind, status, sourceId } = job;
    if (ALERTING.has(kind) && status !== 'cancelled') {
      this.#standing.set(`${kind.toUpperCase()}_FAILED ${sourceId}`, status === 'failed');
    }
    if (status !== 'succeeded') {
      this.#takeFailure(job);
      return;
    }
    const result = job.result as Result;
    const atMs = Date.parse(job.startedAt!);
    if (kind === 'backup') this.#takeBackup(job, result);
    if (kind === 'forget') this.#takeForget(result, atMs);
    if (kind === 'prune') this.#takePrune(result, atMs);
    if (kind === 'verify') {
      for (const each of result['verified']) this.#prove(each.snapshotId, each.ok);
      this.counts.verifications += 1;
    }
    if (kind === 'drill') {
      for (const each of result['drills']) this.#prove(each.snapshotId, each.ok);
      this.counts.drills += 1;
    }
    if (kind === 'recover' && result['needsOperator'] > 0) {
      this.problems.push(`a recovery at ${new Date(nowMs).toISOString()} waits for an operator`);
    }
  }

  #takeFailure({ kind, sourceId, error, id, startedAt }: JobDocument): void {
    if (kind === 'prune' && startedAt !== null) this.#prunedInPartAtMs = Date.parse(startedAt);
    const index = this.expectedFailures.findIndex(
      (each) => each.kind === kind && (each.source === null || each.source === sourceId),
    );
    if (index === -1)
      this.problems.push(`${kind} of ${sourceId} failed (${id}): ${error?.message}`);
    else this.expectedFailures.splice(index, 1);
  }

  #takeBackup({ sourceId, params }: JobDocument, result: Result): void {
    const source = sourceId!;
    const digest = this.#applications.get(source)!.digest();
    const id = result['snapshotId'] as string;
    if (result['unchanged'] === true) {
      this.counts.unchanged += 1;
      const known = this.snapshots.get(id);
      if (known?.digest !== digest)
        this.problems.push(`${source}: ${id} is said to hold what it does not`);
      return;
    }
    this.counts.taken += 1;
    this.snapshots.set(id, {
      id,
      source,
      digest,
      atMs: Date.parse(result['capturedAt'] as string),
      origin: String(params['origin'] ?? 'manual'),
      good: result['good'] === true,
      pinned: false,
      proven: null,
    });
    if (result['good'] !== true) this.problems.push(`${source}: ${id} is not good`);
  }

  /** What must go of a source, as its policy is understood here. */
  #toRemove(source: string, nowMs: number): KnownSnapshot[] {
    const own = this.of(source);
    const { policy } = APPLICATIONS.find(({ name }) => name === source)!;
    const stay = expectedToStay(own, policy, nowMs, this.#lastRestoreMs.get(source) ?? null);
    return own.filter(({ id }) => !stay.has(id));
  }

  #takeForget(result: Result, atMs: number): void {
    this.counts.forgets += 1;
    for (const { sourceId, removed } of result['sources'] as Result[]) {
      const expected = this.#toRemove(sourceId, atMs)
        .map(({ id }) => id)
        .sort();
      const actual = [...(removed as string[])].sort();
      if (JSON.stringify(expected) !== JSON.stringify(actual)) {
        const text = (ids: string[]) => ids.map((id) => this.#describe(id)).join(', ');
        this.problems.push(
          `${sourceId}: forget at ${new Date(atMs).toISOString()} removed [${text(actual)}], not [${text(expected)}] of [${text(this.of(sourceId).map(({ id }) => id))}]`,
        );
      }
      for (const id of actual) this.#remove(id, atMs);
    }
  }

  #describe(id: string): string {
    const known = this.snapshots.get(id);
    if (known === undefined) return `${id.slice(0, 8)} unknown`;
    const { atMs, origin, pinned, proven } = known;
    return `${id.slice(0, 8)} ${origin} ${new Date(atMs).toISOString()}${pinned ? ' pinned' : ''}${proven ? ' proven' : ''}`;
  }

  #remove(id: string, atMs: number): void {
    if (this.snapshots.delete(id)) this.counts.removed += 1;
    this.#removedAtMs.set(id, atMs);
  }

  #takePrune(result: Result, atMs: number): void {
    if (result['dryRun'] === true) return;
    this.counts.prunes += 1;
    const removed = [...this.#removedAtMs.values()];
    const expiredBy = (nowMs: number): number =>
      removed.filter((removedAtMs) => nowMs - removedAtMs >= GRACE_MS).length;
    const expired = expiredBy(atMs);
    const inGrace = removed.length - expired;
    // A prune that was cut short may have got as far as that.
    const mayBeGone = this.#prunedInPartAtMs === null ? 0 : expiredBy(this.#prunedInPartAtMs);
    this.#prunedInPartAtMs = null;
    const { snapshotsInGrace, snapshotsExpired } = result;
    const isExpected = snapshotsExpired <= expired && snapshotsExpired >= expired - mayBeGone;
    if (snapshotsInGrace !== inGrace || !isExpected) {
      this.problems.push(
        `prune at ${new Date(atMs).toISOString()} found ${snapshotsInGrace} in grace and ${snapshotsExpired} expired, not ${inGrace} and ${expired}`,
      );
    }
    for (const [id, removedAtMs] of this.#removedAtMs) {
      if (atMs - removedAtMs >= GRACE_MS) this.#removedAtMs.delete(id);
    }
  }

  #prove(id: string, ok: boolean): void {
    const known = this.snapshots.get(id);
    if (known !== undefined) known.proven = ok;
    if (!ok) this.problems.push(`${this.#describe(id)} was found wanting`);
  }

  #checkTicks(jobs: readonly JobDocument[], nowMs: number): void {
    for (const schedule of this.#schedules) {
      const { id, source } = schedule.kind;
      const ticks = jobs
        .filter((job) => job.scheduleId === id && job.attempt === 1)
        .filter((job) => source === null || job.sourceId === source)
        .map((job) => Date.parse(job.scheduledAt!));
      this.counts.ticks += ticks.length;
      const fault = schedule.faultIn(ticks, nowMs);
      if (fault !== null) this.problems.push(fault);
    }
  }

  async #checkListing(client: RpcClient): Promise<void> {
    const listed = new Set<string>();
    for (const { name } of APPLICATIONS) {
      const { items } = await client.call('snapshot.list', { sourceId: name, limit: 1000 });
      for (const { id, origin, capturedAt, good, pinned } of items) {
        listed.add(id);
        if (this.snapshots.has(id)) continue;
        const index = this.#mayAppear.findIndex(
          (each) => each.origin === origin && each.source === name,
        );
        const [known] = index === -1 ? [] : this.#mayAppear.splice(index, 1);
        if (known === undefined)
          this.problems.push(`${name}: ${id} (${origin}) is listed by nobody's doing`);
        const digest = known?.digest ?? null;
        const atMs = Date.parse(capturedAt);
        this.snapshots.set(id, {
          id,
          source: name,
          digest,
          atMs,
          origin,
          good,
          pinned,
          proven: null,
        });
        this.counts.taken += 1;
      }
    }
    for (const id of [...this.snapshots.keys()]) {
      if (listed.has(id)) continue;
      this.problems.push(`${this.#describe(id)} is not listed any more`);
      this.snapshots.delete(id);
    }
  }

  /** A good snapshot is followed by the removal of what the policy lets go. */
  #checkRetention(jobs: readonly JobDocument[]): void {
    for (const { name } of APPLICATIONS) {
      const last = jobs.findLast(
        ({ kind, sourceId }) => sourceId === name && CHANGES_RETENTION.has(kind),
      );
      if (last?.kind !== 'backup' || last.status !== 'succeeded') continue;
      const left = this.#toRemove(name, Date.parse(last.startedAt!));
      if (left.length === 0) continue;
      const text = left.map(({ id }) => this.#describe(id)).join(', ');
      const known = [...this.snapshots.values()].filter(({ source }) => source === name);
      this.problems.push(
        `${name}: the policy lets go of ${text}, and they are still there, as far as is known ${JSON.stringify(known)}, of the job ${JSON.stringify(last)}`,
      );
    }
  }

  /** Alerts about failed jobs that must stand, and no others. */
  async checkAlerts(client: RpcClient): Promise<void> {
    const { items } = await client.call('alert.list', { limit: 100 });
    const standing = items.map(({ kind, sourceId }) => `${kind} ${sourceId}`);
    for (const [key, stands] of this.#standing) {
      if (stands !== standing.includes(key)) {
        this.problems.push(`alert ${key} ${stands ? 'is missing' : 'still stands'}`);
      }
    }
    for (const { kind, message } of items) {
      if (NEVER.has(kind)) this.problems.push(`alert ${kind}: ${message}`);
    }
  }
}

const NEVER: ReadonlySet<string> = new Set([
  'NO_GOOD_SNAPSHOT',
  'LAST_SNAPSHOT_BAD',
  'DRILL_FAILED',
  'DATABASE_NEEDS_OPERATOR',
  'DATABASE_MISSING',
  'DATABASE_REGRESSED',
  'DATABASE_WRITTEN_AROUND',
  'REPOSITORY_REPLACED',
  'SNAPSHOTS_LOST',
  'STATE_REBUILT',
  'LOW_SPACE',
]);
