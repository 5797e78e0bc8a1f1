import { statSync } from 'node:fs';
import { lookAtSource, type SourceLook } from '../capture/source-fingerprint.ts';
import type { LiveSettings } from '../config/live-settings.ts';
import type { Settings, SourceSettings } from '../config/settings.ts';
import type { Job } from '../jobs/job.ts';
import type { RunJob } from '../jobs/job-runner.ts';
import type { Clock } from '../kernel/clock.ts';
import { ownPaths } from '../operations/operation.ts';
import { describedLayout } from '../store/format/read-descriptor.ts';
import type { Manifest } from '../store/manifests/manifest.ts';
import type { CapturedSnapshots } from './captured-snapshots.ts';
import type { RepositoryView } from './repository-view.ts';
import type { SourceStates } from './source-states.ts';

export interface UnchangedSourcesOptions {
  readonly live: LiveSettings;
  readonly clock: Clock;
  readonly repository: Pick<RepositoryView, 'reader' | 'snapshotsOf'>;
  readonly sources: Pick<SourceStates, 'facts' | 'steppedBack'>;
  readonly captured: CapturedSnapshots;
  /** From stat alone: no file may be opened. @default lookAtSource */
  readonly look?: (
    source: SourceSettings,
    forbiddenPaths: readonly string[],
  ) => Promise<SourceLook>;
}

/** What a backup job ends with where the newest snapshot holds the source as it is. */
export interface UnchangedResult extends Record<string, unknown> {
  readonly unchanged: true;
  readonly snapshotId: string;
  readonly shortId: string;
  readonly sourceId: string;
  readonly sourceFingerprint: string;
  readonly good: true;
  readonly capturedAt: string;
}

/** A worker looks for itself this often at least: it reads what stat does not tell. */
const SNAPSHOT_AGE_MS_MAX = 24 * 3_600_000;
/** File times move in ticks of up to 10 ms: a later write within the tick of a look may leave no trace. */
const TICK_MS = 20;

/**
 * Ends backups at once that would find what the newest snapshot holds already. The proof is made of `stat` alone,
 * and of what this daemon saw: the snapshot is its own, whole and without a flaw, and the settings are the same.
 */
export class UnchangedSources {
  readonly #options: UnchangedSourcesOptions;

  constructor(options: UnchangedSourcesOptions) {
    this.#options = options;
  }

  /** `run`, for whatever is not answered here. */
  around(run: RunJob): RunJob {
    return async (job, hooks) => {
      const settings = this.#options.live.current;
      const source = settings.sources.find(({ id }) => id === job.sourceId);
      if (job.kind !== 'backup' || source === undefined) return run(job, hooks);
      const result = mayBeAnswered(job) ? await this.#proof(settings, source) : null;
      if (result !== null) {
        const message = `nothing has changed since snapshot ${result.shortId}`;
        hooks.onMessage({ type: 'log', stream: 'event', message });
        return { status: 'succeeded', result, error: null, warnings: 0 };
      }
      const outcome = await run(job, hooks);
      this.#options.captured.note(job, settings, source, outcome);
      return outcome;
    };
  }

  /** Null where anything speaks against it, or cannot be found out. */
  async #proof(settings: Settings, source: SourceSettings): Promise<UnchangedResult | null> {
    try {
      const newest = await this.#newest(settings, source);
      if (newest === null) return null;
      const reader = await this.#options.repository.reader();
      const manifest = await reader.readManifest(newest);
      const look = await (this.#options.look ?? lookAtSource)(source, ownPaths(settings));
      return holdsStill(manifest, look) ? unchangedSince(newest, manifest) : null;
    } catch {
      // The worker meets the same, and says what it is.
      return null;
    }
  }

  /** The id of the newest snapshot, where it would serve. */
  async #newest(settings: Settings, source: SourceSettings): Promise<string | null> {
    const { repository, sources, clock, captured } = this.#options;
    const { last } = repository.snapshotsOf(source.id);
    if (last === null || last.id !== captured.snapshotIdOf(settings, source)) return null;
    const { needsOperator, pendingChangeSince } = sources.facts(source.id);
    if (needsOperator || pendingChangeSince !== null) return null;
    if (sources.steppedBack(source.id).length > 0 || last.verifiedOk === false) return null;
    if (await isDamagedSince(settings.repositoryDirectory, last.capturedAt)) return null;
    const ageMs = clock.nowMs() - Date.parse(last.capturedAt);
    return ageMs >= 0 && ageMs < SNAPSHOT_AGE_MS_MAX ? last.id : null;
  }
}

/** Whether a source is to the last byte as this snapshot of all of it has it, from what `stat` says. */
export function holdsStill(manifest: Manifest, look: SourceLook): boolean {
  if (look.fingerprint !== manifest.sourceFingerprint) return false;
  return look.newestChangeMs < Date.parse(manifest.startedAt) - TICK_MS;
}

/** What was found damaged since a snapshot is stored again by the next, where the source still has it. */
async function isDamagedSince(repository: string, capturedAt: string): Promise<boolean> {
  const { layout } = await describedLayout(repository);
  const known = statSync(layout.knownDamage, { throwIfNoEntry: false });
  return known !== undefined && known.mtimeMs > Date.parse(capturedAt);
}

/** A schedule asks for what is new; a person is given a snapshot unless they say otherwise. */
function mayBeAnswered({ actor, params }: Job): boolean {
  const { type = 'full', tags = [], reason = null, ifChanged = false } = params;
  if (type !== 'full' || (tags as unknown[]).length > 0) return false;
  return actor === 'schedule' || (ifChanged === true && reason === null);
}

function unchangedSince(snapshotId: string, manifest: Manifest): UnchangedResult {
  return {
    unchanged: true,
    snapshotId,
    shortId: snapshotId.slice(0, 8),
    sourceId: manifest.source.id,
    sourceFingerprint: manifest.sourceFingerprint,
    good: true,
    capturedAt: manifest.capturedAt,
  };
}
