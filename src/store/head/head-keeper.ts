import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../kernel/errors.ts';
import { type Layout, snapshotIdOf } from '../layout.ts';
import { readNotesFile } from '../manifests/notes-file.ts';
import { isSame, stepBack } from './compare-head.ts';
import { FolderState } from './folder-state.ts';
import { type Head, type HeadChange, type HeadMark, markOf, successorOf } from './head.ts';
import { readHead, writeHead } from './head-file.ts';

/** What a writer is told, and tells, of the heads that were seen before; kept outside of the repository. */
export interface HeadMemory {
  readonly seen: HeadMark | null;
  remember(mark: HeadMark): Promise<void>;
}

export type IntendedChange = Omit<HeadChange, 'from'>;

export const newLine = (): string => randomBytes(16).toString('hex');

/** The first head of a repository. */
export const firstHead = (entries: Head['entries'], formerId: string | null): Head => ({
  line: newLine(),
  generation: 1,
  history: [],
  entries,
  pending: [],
  altered: [],
  formerId,
});

/**
 * Keeps the head beside what a writer does, under the writer's lock: first what it is about to do, at the end what came of
 * it. Takes nothing for granted that it has not done itself: what others changed stays a difference until somebody accepts it.
 */
export class HeadKeeper {
  readonly #layout: Layout;
  readonly #repositoryId: string;
  readonly #memory: HeadMemory | null;
  readonly #folder: FolderState;
  #head: Head | null;
  /** It follows on what was seen before. */
  readonly #trusted: boolean;

  private constructor(
    layout: Layout,
    repositoryId: string,
    memory: HeadMemory | null,
    head: Head | null,
  ) {
    this.#layout = layout;
    this.#repositoryId = repositoryId;
    this.#memory = memory;
    this.#folder = new FolderState(layout);
    const seen = memory?.seen ?? null;
    const isBack = head !== null && seen !== null && stepBack(seen, head, repositoryId) !== null;
    this.#trusted =
      !isBack && (seen === null || (head !== null && isSame(seen, head, repositoryId)));
    // Counting on, it would some day have caught up with what was seen, and nobody could tell any more.
    this.#head =
      isBack && head.line === seen.line ? { ...head, line: newLine(), history: [] } : head;
  }

  /** Where there is no head, or it is damaged, nothing is kept: only a person makes a new one. */
  static async open(
    layout: Layout,
    repositoryId: string,
    memory: HeadMemory | null,
  ): Promise<HeadKeeper> {
    const head = layout.keys === null ? null : (await readHead(layout)).head;
    return new HeadKeeper(layout, repositoryId, memory, head);
  }

  /** Durable before any of it is done. What was intended before is done, or never will be. */
  async intend(changes: readonly IntendedChange[]): Promise<void> {
    if (this.#head === null) return;
    const settled = await this.#settled(this.#head);
    const altered = new Set(settled.altered);
    const pending: HeadChange[] = [];
    for (const { name, to } of changes) {
      const from = settled.entries.get(name) ?? null;
      if (from === to) continue;
      pending.push({ name, from, to });
      if (await this.#isAltered(name, from)) altered.add(name);
    }
    if (pending.length > 0) await this.#publish({ ...settled, pending, altered: [...altered] });
  }

  /** Says what came of what was intended, if anything was. */
  async settle(): Promise<void> {
    if (this.#head === null) return;
    if (this.#head.pending.length > 0) {
      await this.#publish({ ...(await this.#settled(this.#head)), pending: [] });
    }
    if (this.#trusted) await this.#memory?.remember(markOf(this.#head, this.#repositoryId));
  }

  async #settled({ entries, pending, altered }: Head): Promise<Pick<Head, 'entries' | 'altered'>> {
    const settled = new Map(entries);
    for (const { name, to } of pending) {
      if ((await this.#folder.of(name)) !== to) continue;
      if (to === null) settled.delete(name);
      else settled.set(name, to);
    }
    return { entries: settled, altered };
  }

  /** Sound notes, but not those that were written: replacing them would hide it. Damaged ones count as a pin. */
  async #isAltered(name: string, expected: string | null): Promise<boolean> {
    if (!name.startsWith('notes/')) return false;
    if ((await this.#folder.of(name)) === expected) return false;
    try {
      readNotesFile(this.#layout, snapshotIdOf(name.slice('notes/'.length))!);
      return true;
    } catch (error) {
      if (error instanceof HoldfastError) return false;
      throw error;
    }
  }

  async #publish(changes: Partial<Head>): Promise<void> {
    const next = successorOf(this.#head!, changes);
    await writeHead(this.#layout, next);
    this.#head = next;
  }
}
