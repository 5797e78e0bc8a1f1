import { join } from 'node:path';
import type { RepositoryKeys } from './encryption/repository-keys.ts';

/** Names inside a repository (docs/format.md), and what reads and writes behind them take where it is encrypted. */
export interface Layout {
  readonly root: string;
  readonly descriptor: string;
  readonly packs: string;
  readonly snapshots: string;
  readonly notes: string;
  readonly removed: string;
  readonly leases: string;
  readonly keySlots: string;
  readonly temporary: string;
  readonly setAside: string;
  readonly catalog: string;
  readonly lock: string;
  readonly knownDamage: string;
  /** Null where the repository is not encrypted. */
  readonly keys: RepositoryKeys | null;
}

/** Of a repository that is not encrypted, or of which only names are needed. */
export function layoutOf(path: string): Layout {
  return {
    root: path,
    descriptor: join(path, 'holdfast.json'),
    packs: join(path, 'packs'),
    snapshots: join(path, 'snapshots'),
    notes: join(path, 'notes'),
    removed: join(path, 'removed'),
    leases: join(path, 'leases'),
    keySlots: join(path, 'keys'),
    temporary: join(path, 'tmp'),
    setAside: join(path, 'set-aside'),
    catalog: join(path, 'catalog.db'),
    lock: join(path, 'lock.db'),
    knownDamage: join(path, 'damaged.json'),
    keys: null,
  };
}

export const packDirectory = (layout: Layout, name: string): string =>
  join(layout.packs, name.slice(0, 2));

export const packPath = (layout: Layout, name: string): string =>
  join(packDirectory(layout, name), `${name}.pack`);

export const manifestPath = (layout: Layout, id: string): string =>
  join(layout.snapshots, `${id}.json`);

export const notesPath = (layout: Layout, id: string): string => join(layout.notes, `${id}.json`);

export const removedPath = (layout: Layout, id: string): string =>
  join(layout.removed, `${id}.json`);

export const keySlotPath = (layout: Layout, id: string): string =>
  join(layout.keySlots, `${id}.json`);

/** `<64 hex digits>.pack` → the digits, else null. */
export const packNameOf = (fileName: string): string | null =>
  /^([0-9a-f]{64})\.pack$/.exec(fileName)?.[1] ?? null;

/** `<64 hex digits>.json` → the digits, else null. */
export const snapshotIdOf = (fileName: string): string | null =>
  /^([0-9a-f]{64})\.json$/.exec(fileName)?.[1] ?? null;
