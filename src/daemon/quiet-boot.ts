import { lookAtSource } from '../capture/source-fingerprint.ts';
import type { LiveSettings } from '../config/live-settings.ts';
import { hostPathOf } from '../config/root-paths.ts';
import type { Settings, SourceSettings } from '../config/settings.ts';
import type { Job } from '../jobs/job.ts';
import type { RunJob } from '../jobs/job-runner.ts';
import { shortId } from '../kernel/ids.ts';
import { ownPaths } from '../operations/operation.ts';
import { CheckLedger } from '../recovery/check-ledger.ts';
import type { CleanShutdown } from '../recovery/clean-shutdown.ts';
import type { CapturedSnapshots } from './captured-snapshots.ts';
import { mayHaveLeftBehind } from './left-behind.ts';
import type { RepositoryView } from './repository-view.ts';
import { holdsStill } from './unchanged-sources.ts';

export interface QuietBootOptions {
  readonly live: LiveSettings;
  readonly repository: Pick<RepositoryView, 'reader' | 'snapshotsOf'>;
  readonly captured: CapturedSnapshots;
  /** How the daemon before this one ended; null: not in order. */
  readonly shutdown: CleanShutdown | null;
}

/** The states after which a database is looked at again only once it has changed. */
const SOUND: ReadonlySet<string> = new Set(['ok', 'skipped', 'recovered']);

/**
 * Answers the jobs of a boot at which there is nothing to do, without a worker: what a worker would find out by
 * opening databases is known where every file is as the newest snapshot has it, which was checked when it was taken.
 * From `stat` and the daemon's own records; where anything speaks against it, a worker is asked as ever.
 */
export class QuietBoot {
  readonly #options: QuietBootOptions;

  constructor(options: QuietBootOptions) {
    this.#options = options;
  }

  /** `run`, for whatever is not answered here. */
  around(run: RunJob): RunJob {
    return async (job, hooks) => {
      // Whatever goes wrong here, the worker meets too, and says what it is.
      const answer = job.actor === 'boot' ? await this.#answer(job).catch(() => null) : null;
      if (answer === null) return run(job, hooks);
      hooks.onMessage({ type: 'log', stream: 'event', message: answer.message });
      return { status: 'succeeded', result: answer.result, error: null, warnings: 0 };
    };
  }

  #answer(job: Job): Promise<{ result: Record<string, unknown>; message: string } | null> {
    if (isAsked(job, 'reconcile', {})) return this.#nothingInterrupted();
    const { sourceId } = job;
    const isRecovery = isAsked(job, 'recover', { sourceId, mode: 'if-needed' });
    const settings = this.#options.live.current;
    const source = settings.sources.find(({ id }) => id === sourceId);
    if (!isRecovery || source === undefined) return Promise.resolve(null);
    return this.#nothingChanged(settings, source);
  }

  async #nothingInterrupted() {
    const { shutdown, live } = this.#options;
    if (shutdown === null) return null;
    if (await mayHaveLeftBehind(live.current, Date.parse(shutdown.at))) return null;
    const result = { swaps: [], staging: [], scratch: 0, repository: null };
    return { result, message: 'the last run ended in order and left nothing behind' };
  }

  async #nothingChanged(settings: Settings, source: SourceSettings) {
    const { repository, captured, shutdown } = this.#options;
    // A crash of the host may lose what was written and leave times and lengths as they were.
    if (shutdown === null) return null;
    const { last } = repository.snapshotsOf(source.id);
    if (last === null || last.id !== captured.snapshotIdOf(settings, source)) return null;
    if (!last.good || last.resealed || last.verifiedOk === false) return null;
    const manifest = await (await repository.reader()).readManifest(last.id);
    if (!holdsStill(manifest, await lookAtSource(source, ownPaths(settings)))) return null;
    const ledger = await CheckLedger.open(settings.stateDirectory);
    const reason = `unchanged since snapshot ${shortId(last.id)}`;
    const databases = [];
    for (const { path: logicalPath, check } of manifest.databases) {
      const path = hostPathOf(source, logicalPath);
      if (path === null || !check.ok) return null;
      // A flipped bit that no time tells of may have been found since.
      if (!SOUND.has(ledger.get(path)?.state ?? 'ok')) return null;
      databases.push({ path, state: 'skipped', reason });
    }
    const skipped = databases.length;
    const totals = { ok: true, checked: 0, skipped, recovered: 0, busy: 0, needsOperator: 0 };
    const result = { ...totals, sources: { [source.id]: { ...totals, databases } } };
    return { result, message: `${source.name} is ${reason}` };
  }
}

function isAsked({ kind, params }: Job, wanted: Job['kind'], exactly: object): boolean {
  return kind === wanted && JSON.stringify(params) === JSON.stringify(exactly);
}
