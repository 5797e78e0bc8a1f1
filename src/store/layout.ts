import { join } from 'node:path';
import type { RepositoryKeys } from './encryption/repository-keys.ts';

/** Names inside a repository (docs/format.md), and what reads and writes behind them take where it is encrypted. */
export interface Layout {
  /** What is the same whatever folder the data are in stands here: description, lock and leases. */
  readonly root: string;
  /** Where everything else stands: `root`, or a folder in it. */
  readonly data: string;
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
  readonly head: string;
  readonly lock: string;
  readonly knownDamage: string;
  /** Null where the repository is not encrypted. */
  readonly keys: RepositoryKeys | null;
}

/** Of a repository that is not encrypted, or of which only names are needed. `folder` is that of its description. */
export function layoutOf(path: string, folder?: string): Layout {
  const data = folder === undefined ? path : join(path, folder);
  return {
    root: path,
    data,
    descriptor: join(path, 'holdfast.json'),
    packs: join(data, 'packs'),
    snapshots: join(data, 'snapshots'),
    notes: join(data, 'notes'),
    removed: join(data, 'removed'),
    leases: join(path, 'leases'),
    keySlots: join(data, 'keys'),
    temporary: join(data, 'tmp'),
    setAside: join(data, 'set-aside'),
    catalog: join(data, 'catalog.db'),
    head: join(data, 'head.json'),
    lock: join(path, 'lock.db'),
    knownDamage: join(data, 'damaged.json'),
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
