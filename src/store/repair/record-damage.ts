import type { Activity } from '../../kernel/activity.ts';
import type { Clock } from '../../kernel/clock.ts';
import { listPacks } from '../catalog/load-packs.ts';
import type { FoundDamage } from '../check/found-damage.ts';
import { NO_DAMAGE, readKnownDamage, writeKnownDamage } from '../damage/known-damage.ts';
import type { KeyMaterial } from '../encryption/key-material.ts';
import { openLayout } from '../encryption/unlock.ts';
import { makeOwnDirectories } from '../own-directories.ts';
import { reconcile } from '../reconcile/reconcile.ts';
import { lockRepository } from '../repository-lock.ts';

/**
 * Makes known what a check found, so that nobody reads it and the next backup stores it again where the live data
 * still has it. Returns how many objects are missing now.
 * @throws REPO_LOCKED and what opening a repository throws
 */
export async function recordDamage(
  path: string,
  found: FoundDamage,
  options: {
    readonly clock: Clock;
    readonly key?: KeyMaterial | null;
    readonly lockWaitMs: number;
    /** All data was read: what was known before and not found again reads well now. */
    readonly isAll: boolean;
  },
  activity: Activity,
): Promise<number> {
  const { layout, repositoryId } = await openLayout(path, options.key ?? null);
  const lock = await lockRepository(layout, {
    purpose: 'note damage',
    lockWaitMs: options.lockWaitMs,
    clock: options.clock,
    signal: activity.signal,
  });
  try {
    await makeOwnDirectories(layout);
    const known = options.isAll ? NO_DAMAGE : (readKnownDamage(layout) ?? NO_DAMAGE);
    const present = new Set(await listPacks(layout));
    const records = new Map<string, Set<string>>();
    for (const [pack, ids] of [...known.records, ...found.records]) {
      if (!present.has(pack)) continue;
      records.set(pack, new Set([...(records.get(pack) ?? []), ...ids]));
    }
    const suspects = [...records.values()].flatMap((ids) => [...ids]);
    const missing = new Set([...known.missing, ...found.missing, ...suspects]);
    await writeKnownDamage(layout, { records, missing, complete: known.complete });
    // A catalog made anew leaves out what is known to be damaged, and takes another copy where there is one.
    const { catalog } = await reconcile(layout, repositoryId, { rebuild: true });
    try {
      const gone = new Set([...missing].filter((id) => catalog.find(id) === null));
      await writeKnownDamage(layout, { records, missing: gone, complete: known.complete });
      return gone.size;
    } finally {
      catalog.close();
    }
  } finally {
    lock.release();
  }
}

/** Whether anything of the repository is known to be damaged or missing. @throws what opening a repository throws */
export async function isDamageKnown(
  path: string,
  key: KeyMaterial | null,
): Promise<{ readonly records: boolean; readonly missing: boolean }> {
  const { layout } = await openLayout(path, key);
  const { records, missing } = readKnownDamage(layout) ?? NO_DAMAGE;
  return { records: records.size > 0, missing: missing.size > 0 };
}
