import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemCode } from '../../kernel/errors.ts';
import { keySlotPath, type Layout, manifestPath, notesPath, snapshotIdOf } from '../layout.ts';
import { digestOf } from './head.ts';
import { type HeadReading, openHead } from './head-file.ts';

/** What stands in the folders that a head speaks of. */

export const manifestName = (id: string): string => `snapshots/${id}.json`;
export const notesName = (id: string): string => `notes/${id}.json`;
export const slotName = (id: string): string => `keys/${id}.json`;

const SLOT_FILE = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json$/;

interface Kept {
  readonly identity: string;
  readonly digest: string;
}

/** Remembers digests of files that have not changed, for who looks again and again. */
export class FolderState {
  readonly #layout: Layout;
  #kept = new Map<string, Kept>();
  #opened: { readonly bytes: Buffer; readonly reading: HeadReading } | null = null;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** One file; null where there is none. */
  async of(name: string): Promise<string | null> {
    const path = pathOf(this.#layout, name);
    try {
      const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
      if (name.startsWith('snapshots/')) return '';
      const identity = `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
      const kept = this.#kept.get(name);
      if (kept?.identity === identity) return kept.digest;
      const digest = digestOf(await readFile(path));
      this.#kept.set(name, { identity, digest });
      return digest;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return null;
      throw error;
    }
  }

  /** What the bytes of a head say; the same as before is not opened again. */
  head(bytes: Buffer | null): HeadReading {
    if (bytes !== null && this.#opened?.bytes.equals(bytes) === true) return this.#opened.reading;
    const reading = openHead(this.#layout, bytes);
    this.#opened = bytes === null ? null : { bytes, reading };
    return reading;
  }

  async all(): Promise<Map<string, string>> {
    const { snapshots, notes, keySlots } = this.#layout;
    const names = [
      ...(await idsIn(snapshots, snapshotIdOf)).map(manifestName),
      ...(await idsIn(notes, snapshotIdOf)).map(notesName),
      ...(await idsIn(keySlots, slotIdOf)).map(slotName),
    ];
    const state = new Map<string, string>();
    for (const name of names) {
      // Names of manifests say all; there may be thousands.
      const digest = name.startsWith('snapshots/') ? '' : await this.of(name);
      if (digest !== null) state.set(name, digest);
    }
    this.#kept = new Map([...this.#kept].filter(([name]) => state.has(name)));
    return state;
  }
}

const slotIdOf = (file: string): string | null => SLOT_FILE.exec(file)?.[1] ?? null;

async function idsIn(folder: string, idOf: (file: string) => string | null): Promise<string[]> {
  try {
    return (await readdir(folder)).flatMap((file) => idOf(file) ?? []);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function pathOf(layout: Layout, name: string): string {
  const id = basename(name, '.json');
  if (name.startsWith('snapshots/')) return manifestPath(layout, id);
  if (name.startsWith('notes/')) return notesPath(layout, id);
  if (name.startsWith('keys/')) return keySlotPath(layout, id);
  return join(layout.root, name);
}
