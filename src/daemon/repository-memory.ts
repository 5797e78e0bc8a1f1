import { z } from 'zod';
import type { AlertSighting } from '../state/alert-records.ts';
import type { FlagRecords } from '../state/flag-records.ts';
import type { SnapshotSummary } from '../store/store.ts';

/** What a look at a repository finds. */
export interface RepositorySight {
  /** Its folder: another one that was configured is another repository by right. */
  readonly path: string;
  readonly repositoryId: string;
  /** Of the repository that it was made of: sealed in it, so that nobody else can say so. */
  readonly formerId?: string | null;
  /** Newest first. */
  readonly snapshots: readonly Pick<SnapshotSummary, 'id' | 'sourceId' | 'capturedAt'>[];
}

const FLAG = 'repositorySeen';
const SOURCES_MAX = 1000;

const memorySchema = z.object({
  path: z.string(),
  repositoryId: z.string(),
  snapshots: z.number(),
  /** By source, the newest one. */
  newest: z.record(z.string(), z.object({ id: z.string(), capturedAt: z.string() })),
});
type Memory = z.infer<typeof memorySchema>;

/**
 * Remembers, outside of the repository, what was in it: a repository that somebody replaced, emptied or set back to an
 * earlier state is sound in itself, and only who has seen it before can tell.
 */
export class RepositoryMemory {
  readonly #flags: Pick<FlagRecords, 'get' | 'set'>;
  readonly #raise: (sighting: AlertSighting) => void;

  constructor(flags: Pick<FlagRecords, 'get' | 'set'>, raise: (sighting: AlertSighting) => void) {
    this.#flags = flags;
    this.#raise = raise;
  }

  /** `removedByUs`: jobs of this daemon have removed snapshots since the last look, so that fewer are no surprise. */
  look(sight: RepositorySight, removedByUs: boolean): void {
    const known = memorySchema.safeParse(this.#flags.get(FLAG));
    const now = memoryOf(sight);
    if (known.success && JSON.stringify(known.data) === JSON.stringify(now)) return;
    if (known.success && !removedByUs) lostSince(known.data, sight).forEach(this.#raise);
    this.#flags.set(FLAG, now);
  }
}

function memoryOf({ path, repositoryId, snapshots }: RepositorySight): Memory {
  const newest: Memory['newest'] = {};
  for (const { sourceId, id, capturedAt } of snapshots.slice().reverse()) {
    newest[sourceId] = { id, capturedAt };
  }
  const kept = Object.entries(newest).slice(0, SOURCES_MAX);
  return { path, repositoryId, snapshots: snapshots.length, newest: Object.fromEntries(kept) };
}

export function lostSince(
  before: Memory,
  { path, repositoryId, snapshots, formerId = null }: RepositorySight,
): AlertSighting[] {
  if (before.path !== path || before.repositoryId === formerId) return [];
  const common = { severity: 'critical', jobId: null } as const;
  if (before.repositoryId !== repositoryId) {
    const message = `The repository is another one than before (${before.repositoryId}, with ${before.snapshots} snapshots): somebody put it there, or the old one was lost and a new one made`;
    return [{ kind: 'REPOSITORY_REPLACED', sourceId: null, subject: '', message, ...common }];
  }
  const ids = new Set(snapshots.map(({ id }) => id));
  const lost = Object.entries(before.newest).filter(([, { id }]) => !ids.has(id));
  const alerts = lost.map(([sourceId, { id, capturedAt }]): AlertSighting => {
    const message = `Snapshot ${id.slice(0, 8)} of ${capturedAt}, the newest one, is gone: somebody removed it without this daemon, or the repository was set back to an earlier state`;
    return { kind: 'SNAPSHOTS_LOST', sourceId, subject: id.slice(0, 8), message, ...common };
  });
  const fewer = before.snapshots - snapshots.length;
  if (alerts.length > 0 || fewer <= 0) return alerts;
  const message = `There are ${fewer} snapshots fewer than before: somebody removed them without this daemon, or they were lost`;
  return [{ kind: 'SNAPSHOTS_LOST', sourceId: null, subject: '', message, ...common }];
}
