import { unsafe } from './archive-refusal.ts';

/** Which paths an archive has named, so that each is one thing, once, and nothing lies below what is no directory. */
export class PathRegister {
  /** true: a directory that has been named only as a part of other paths. */
  readonly #directories = new Map<string, boolean>();
  readonly #leaves = new Set<string>();

  /**
   * Takes a path in; returns the directories above it that were not known, topmost first.
   * @throws PATH_UNSAFE
   */
  add(path: string, isDirectory: boolean): string[] {
    const above = this.#addParents(path);
    if (this.#leaves.has(path)) throw unsafe(path, 'it is there twice');
    const isImplied = this.#directories.get(path);
    if (isDirectory) {
      if (isImplied === false) throw unsafe(path, 'it is there twice');
      this.#directories.set(path, false);
    } else {
      if (isImplied !== undefined) throw unsafe(path, 'it is a directory and something else');
      this.#leaves.add(path);
    }
    return above;
  }

  hasDirectory(path: string): boolean {
    return this.#directories.has(path);
  }

  #addParents(path: string): string[] {
    const unknown: string[] = [];
    let end = path.lastIndexOf('/');
    while (end !== -1) {
      const parent = path.slice(0, end);
      if (this.#leaves.has(parent)) {
        throw unsafe(path, `"${parent}" is not a directory`);
      }
      // What is above a known directory is known.
      if (this.#directories.has(parent)) break;
      unknown.unshift(parent);
      end = parent.lastIndexOf('/');
    }
    for (const parent of unknown) this.#directories.set(parent, true);
    return unknown;
  }
}
