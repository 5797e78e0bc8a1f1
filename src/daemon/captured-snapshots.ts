import { createHash } from 'node:crypto';
import type { Settings, SourceSettings } from '../config/settings.ts';
import { hookOf } from '../hooks/run-hook.ts';
import type { Job } from '../jobs/job.ts';
import type { WorkerOutcome } from '../jobs/worker-process.ts';
import { ownPaths } from '../operations/operation.ts';
import { TOOL_VERSION } from '../operations/version.ts';
import type { FlagRecords } from '../state/flag-records.ts';

/** The newest whole and flawless snapshot that a daemon here took of a source, and under which settings. */
interface Captured {
  readonly snapshotId: string;
  readonly settings: string;
}

const flagOf = (sourceId: string): string => `captured:${sourceId}`;

/**
 * By source: its newest snapshot, where nothing but a change of the source is a reason for another, or for looking
 * at its databases again. Kept across restarts.
 */
export class CapturedSnapshots {
  readonly #flags: Pick<FlagRecords, 'get' | 'set' | 'remove'>;

  constructor(flags: Pick<FlagRecords, 'get' | 'set' | 'remove'>) {
    this.#flags = flags;
  }

  /** Null unless it was taken under these very settings, by this very version. */
  snapshotIdOf(settings: Settings, source: SourceSettings): string | null {
    const known = this.#flags.get(flagOf(source.id)) as Captured | undefined;
    if (known === undefined || known.settings !== settingsHash(settings, source)) return null;
    return known.snapshotId;
  }

  /** Learns from the end of a backup job that ran under `settings`. */
  note(job: Job, settings: Settings, source: SourceSettings, outcome: WorkerOutcome): void {
    const snapshotId = outcome.result?.['snapshotId'];
    const isWhole = job.params['type'] === undefined || job.params['type'] === 'full';
    const isFlawless =
      outcome.status === 'succeeded' && outcome.warnings === 0 && outcome.result?.['good'] === true;
    if (!isWhole || !isFlawless || typeof snapshotId !== 'string' || hasCompany(settings, source)) {
      this.#flags.remove(flagOf(source.id));
      return;
    }
    const captured: Captured = { snapshotId, settings: settingsHash(settings, source) };
    this.#flags.set(flagOf(source.id), captured);
  }
}

/** Commands beside the source have work of their own, and keys are read with every snapshot. */
function hasCompany(settings: Settings, source: SourceSettings): boolean {
  const hooks = [hookOf(settings, source, 'pre'), hookOf(settings, source, 'post')];
  return hooks.some((hook) => hook !== null) || source.plugins.length > 0 || source.keys.length > 0;
}

/** A hash, because settings may hold what nobody else should read. */
function settingsHash(settings: Settings, source: SourceSettings): string {
  const text = JSON.stringify([TOOL_VERSION, source, ownPaths(settings)]);
  return createHash('sha256').update(text).digest('hex');
}
