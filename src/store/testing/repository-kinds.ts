import { join } from 'node:path';
import { systemClock } from '../../kernel/clock.ts';
import * as store from '../repository.ts';
import { testKey } from './encrypted-repository.ts';
import { scratchFolder, writerOf } from './scratch-repository.ts';

/** What a repository is called in the title of its tests, and how one of that kind is made and opened. */
export type RepositoryKind = ReturnType<typeof kindOf>;

function kindOf(kind: 'plain' | 'encrypted', key: store.SlotMaterial | null) {
  type CheckOptions = Omit<store.CheckOptions, 'key'>;
  type PruneOptions = Omit<store.PruneOptions, 'key'>;
  const initRepository: typeof store.initRepository = (path, options) =>
    store.initRepository(path, { key, ...options });
  return {
    kind,
    key,
    initRepository,
    /** A new, empty one that `dispose` removes. */
    async scratchRepository(): Promise<{ path: string; dispose(): Promise<void> }> {
      const folder = await scratchFolder();
      const path = join(folder.path, 'repository');
      await initRepository(path, { clock: systemClock });
      return { path, dispose: folder.dispose };
    },
    writerOf: (path: string, options: Partial<store.OpenWriterOptions> = {}) =>
      writerOf(path, { key, ...options }),
    openReader: (path: string) => store.openReader(path, key),
    checkRepository: (path: string, options: CheckOptions, activity: Activity) =>
      store.checkRepository(path, { key, ...options }, activity),
    pruneRepository: (path: string, options: PruneOptions, activity: Activity) =>
      store.pruneRepository(path, { key, ...options }, activity),
    rebuildCatalog: (
      path: string,
      options: Parameters<typeof store.rebuildCatalog>[1],
      activity: Activity,
    ) => store.rebuildCatalog(path, { key, ...options }, activity),
  };
}

type Activity = Parameters<typeof store.checkRepository>[2];

/** What the store promises it promises of both. */
export const REPOSITORY_KINDS: readonly RepositoryKind[] = [
  kindOf('plain', null),
  kindOf('encrypted', testKey),
];
