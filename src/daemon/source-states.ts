import type { SourceFacts } from '../api/context.ts';
import { hostPathOf } from '../config/root-paths.ts';
import type { SourceSettings } from '../config/settings.ts';
import type { Job } from '../jobs/job.ts';
import type { DaemonStatus, SourceState } from '../protocol/method-map.ts';
import type { Triggers } from '../triggers/triggers.ts';
import type { RepositoryView } from './repository-view.ts';

type DatabaseState = SourceState['databases'][number];
type LastRecovery = NonNullable<DaemonStatus['lastRecovery']>;

/** The parts of a recover job's result that are kept; operations/recover.ts makes it. */
interface RecoverResult {
  readonly sources: Readonly<
    Record<
      string,
      {
        readonly databases: readonly {
          readonly path: string;
          readonly state: DatabaseState['state'];
          readonly reason: string;
          readonly reportId?: string | null;
        }[];
      }
    >
  >;
}

/** The parts of a backup job's result that are kept; operations/backup.ts makes it. */
interface BackupResult {
  readonly shortId: string;
  readonly capturedAt: string;
  readonly databases: readonly {
    readonly path: string;
    readonly check: { readonly ok: boolean; readonly messages: readonly string[] };
  }[];
}

/** The parts of an in-place restore's result that are kept; restore/restore-snapshot.ts makes it. */
interface RestoreResult {
  readonly checked: readonly { readonly path: string; readonly ok: boolean }[];
}

/** What needs a person before the database may be used; an encrypted one is its application's own affair. */
const WAITING_STATES: ReadonlySet<DatabaseState['state']> = new Set([
  'needs-operator',
  'regressed',
  'missing',
]);

/** What looks like a step back in time: the next snapshot would make it the new truth. */
const STEPPED_BACK_STATES: ReadonlySet<DatabaseState['state']> = new Set(['regressed', 'missing']);

/** What the daemon knows of each source, learned from its jobs, kept in memory for `status`. */
export class SourceStates {
  readonly #repository: RepositoryView;
  readonly #databases = new Map<string, Map<string, DatabaseState>>();
  #lastRecovery: LastRecovery | null = null;
  #triggers: Pick<Triggers, 'changeStatus'> | null = null;

  constructor(repository: RepositoryView) {
    this.#repository = repository;
  }

  get lastRecovery(): LastRecovery | null {
    return this.#lastRecovery;
  }

  /** Once triggers are armed. */
  watchedBy(triggers: Pick<Triggers, 'changeStatus'>): void {
    this.#triggers = triggers;
  }

  facts(sourceId: string): SourceFacts {
    const databases = this.#databasesOf(sourceId);
    const { last, lastGoodAt, lastVerifiedAt, proof } = this.#repository.snapshotsOf(sourceId);
    const watch = this.#triggers?.changeStatus(sourceId);
    return {
      databases,
      watch: {
        mode: watch?.mode ?? 'off',
        reason: watch === undefined ? 'the daemon is not ready yet' : watch.reason,
      },
      lastSnapshot: last === null ? null : { id: last.id, at: last.capturedAt, good: last.good },
      lastGoodSnapshotAt: lastGoodAt,
      lastVerifiedAt,
      ...proof,
      pendingChangeSince: watch?.pendingSince ?? null,
      needsOperator: databases.some(({ state }) => WAITING_STATES.has(state)),
    };
  }

  /**
   * The databases for which no snapshot may be taken of its own accord: were one taken, what is gone would no
   * longer be missed. A person decides, by restoring or by taking a snapshot.
   */
  steppedBack(sourceId: string): DatabaseState[] {
    return this.#databasesOf(sourceId).filter(({ state }) => STEPPED_BACK_STATES.has(state));
  }

  /** Learns from a finished recover job, or from one that failed on one database. */
  noteRecovery(job: Job): void {
    if (job.result === null || job.finishedAt === null) return;
    const { sources } = job.result as unknown as RecoverResult;
    for (const [sourceId, { databases }] of Object.entries(sources)) {
      for (const { path, state, reason, reportId = null } of databases) {
        this.#put(sourceId, { path, state, reason, checkedAt: job.finishedAt, reportId });
        if (state !== 'recovered') continue;
        this.#lastRecovery = {
          reportId,
          at: job.finishedAt,
          sourceId,
          database: path,
          outcome: reason,
        };
      }
    }
  }

  /** A database whose check or repair could not be carried out at all. */
  noteUnchecked(sourceId: string, path: string, reason: string, at: string): void {
    this.#put(sourceId, { path, state: 'needs-operator', reason, checkedAt: at, reportId: null });
  }

  /** What was restored in place was checked on its way. */
  noteRestore(source: SourceSettings, result: Record<string, unknown>, at: string): void {
    const { checked } = result as unknown as RestoreResult;
    for (const { path: logicalPath, ok } of checked) {
      const path = hostPathOf(source, logicalPath);
      if (path === null || !ok) continue;
      this.#put(source.id, { path, state: 'ok', reason: null, checkedAt: at, reportId: null });
    }
  }

  /** A capture checks every database: what it finds bad is news, whatever boot had found. */
  noteBackup(source: SourceSettings, result: Record<string, unknown>): void {
    const { shortId, capturedAt, databases } = result as unknown as BackupResult;
    for (const { path: logicalPath, check } of databases) {
      const path = hostPathOf(source, logicalPath);
      if (path === null) continue;
      this.#put(source.id, {
        path,
        state: check.ok ? 'ok' : 'needs-operator',
        reason: check.ok
          ? null
          : `its check in snapshot ${shortId} failed: ${check.messages[0] ?? 'no message'}`,
        checkedAt: capturedAt,
        reportId: null,
      });
    }
  }

  #databasesOf(sourceId: string): DatabaseState[] {
    return [...(this.#databases.get(sourceId)?.values() ?? [])];
  }

  #put(sourceId: string, state: DatabaseState): void {
    const databases = this.#databases.get(sourceId) ?? new Map<string, DatabaseState>();
    databases.set(state.path, state);
    this.#databases.set(sourceId, databases);
  }
}
