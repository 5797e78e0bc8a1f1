import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { systemClock } from '../../kernel/clock.ts';
import { EMPTY_NOTES } from '../manifests/manifest.ts';
import {
  addKeySlot,
  type CheckReport,
  checkRepository,
  type HeadFinding,
  type HeadMark,
  type HeadMemory,
  initRepository,
  openReader,
  pruneRepository,
  removeKeySlot,
  type SlotMaterial,
} from '../repository.ts';
import { allFiles, testKey } from './encrypted-repository.ts';
import { activity, commitFile, rowBytes, scratchFolder, writerOf } from './scratch-repository.ts';

/** What one host remembers of a repository. */
export class TestMemory implements HeadMemory {
  seen: HeadMark | null = null;
  async remember(mark: HeadMark): Promise<void> {
    this.seen = mark;
  }
}

/** Files that say what stands in a repository, by their path in it. */
export type Picture = ReadonlyMap<string, Buffer>;

/**
 * Not among them: what is made anew from the rest (catalog), what nothing relies on (leases, locks), and what was removed
 * and only waits for its grace to end.
 */
const IRRELEVANT = /^(catalog\.db|lock\.db|leases\/|tmp\/|removed\/|set-aside\/)/;

export async function pictureOf(path: string): Promise<Picture> {
  const files = await allFiles(path);
  const named = files.map(({ path: file, bytes }) => [relative(path, file), bytes] as const);
  return new Map(named.filter(([name]) => !IRRELEVANT.test(name)));
}

/** Puts a file back as it was, or takes it away where it was not there. */
export async function putBack(path: string, name: string, bytes: Buffer | undefined) {
  if (bytes === undefined) {
    await rm(join(path, name), { force: true });
    return;
  }
  await mkdir(dirname(join(path, name)), { recursive: true });
  await writeFile(join(path, name), bytes);
}

export const slotKey = (at: number): SlotMaterial => ({
  kind: 'keyFile',
  bytes: Buffer.alloc(32, at + 1),
});

const LIMITS = { graceMs: 0, unusedShare: 0, dryRun: false, lockWaitMs: 0 };

/** An encrypted repository that is changed step by step, and a picture of it after each. */
export class HeadHistory {
  readonly path: string;
  readonly memory = new TestMemory();
  readonly pictures: Picture[] = [];
  readonly marks: (HeadMark | null)[] = [];
  readonly dispose: () => Promise<void>;
  #snapshots: string[] = [];
  #slots: string[] = [];
  #at = 0;

  private constructor(path: string, dispose: () => Promise<void>) {
    this.path = path;
    this.dispose = dispose;
  }

  static async create(): Promise<HeadHistory> {
    const folder = await scratchFolder();
    const path = join(folder.path, 'repository');
    await initRepository(path, { clock: systemClock, key: testKey });
    return new HeadHistory(path, folder.dispose);
  }

  writer(memory: HeadMemory = this.memory) {
    return writerOf(this.path, { key: testKey, memory });
  }

  /** One change of any kind; `draw` gives a number from 0 below 1. */
  async step(draw: () => number): Promise<string> {
    this.#at += 1;
    const kinds = ['snapshot', 'snapshot', 'notes', 'notes', 'remove', 'addKey', 'removeKey'];
    const kind = kinds[Math.floor(draw() * kinds.length)]!;
    const options = { clock: systemClock, lockWaitMs: 0, key: testKey, memory: this.memory };
    if (kind === 'addKey' && this.#slots.length < 20) {
      this.#slots.push((await addKeySlot(this.path, slotKey(this.#at), options)).id);
    } else if (kind === 'removeKey' && this.#slots.length > 0) {
      await removeKeySlot(this.path, this.#slots.shift()!, options);
    } else {
      await this.#write(kind, draw);
    }
    this.pictures.push(await pictureOf(this.path));
    this.marks.push(this.memory.seen);
    return kind;
  }

  async #write(kind: string, draw: () => number): Promise<void> {
    const writer = await this.writer();
    const id = this.#snapshots[Math.floor(draw() * this.#snapshots.length)];
    if (kind === 'notes' && id !== undefined) {
      const pinned = draw() < 0.3;
      await writer.writeNotes(id, { ...EMPTY_NOTES, tags: [`t${this.#at}`], pinned });
    } else if (kind === 'remove' && id !== undefined && this.#snapshots.length > 2) {
      await writer.writeNotes(id, EMPTY_NOTES);
      await writer.removeSnapshots([id]);
      this.#snapshots = this.#snapshots.filter((each) => each !== id);
    } else {
      const bytes = rowBytes(3_000, this.#at);
      this.#snapshots.push((await commitFile(writer, bytes, null, this.#at)).id);
    }
    await writer.close();
    if (kind !== 'remove') return;
    await pruneRepository(this.path, { clock: systemClock, key: testKey, ...LIMITS }, activity);
  }

  async findings(seen: HeadMark | null = this.memory.seen): Promise<HeadFinding[]> {
    const reader = await openReader(this.path, testKey);
    try {
      return await reader.compareHead(seen);
    } finally {
      reader.close();
    }
  }

  check(seen: HeadMark | null = this.memory.seen): Promise<CheckReport> {
    return checkRepository(this.path, { readData: 'none', key: testKey, seen }, activity);
  }

  /** All of it as it was once, the catalog apart: that is read anew. */
  async restore(picture: Picture): Promise<void> {
    for (const name of (await pictureOf(this.path)).keys()) {
      if (!picture.has(name)) await putBack(this.path, name, undefined);
    }
    for (const [name, bytes] of picture) await putBack(this.path, name, bytes);
  }

  async copyTo(path: string): Promise<void> {
    await cp(this.path, path, { recursive: true });
  }

  readAll = (name: string): Promise<Buffer> => readFile(join(this.path, name));
}
