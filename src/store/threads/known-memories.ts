/** Of blocks that are lent again and again, and of packs. */
const KNOWN_MAX = 64;
/** What is larger is seldom seen again, and is not kept alive. */
const KEPT_BYTES_MAX = 32 * 1024 * 1024;

export interface Introductions {
  readonly introduced: [number, SharedArrayBuffer][];
  readonly forgotten: number[];
}

/** Memory that a thread knows by a number: handing it over anew with every task costs more than the task's message. */
export class KnownMemories {
  /** In the order of last use, oldest first. */
  readonly #numbers = new Map<SharedArrayBuffer, number>();
  #next = 0;

  /** The number of `memory`; a thread that does not know it yet is to be told in `introductions`. */
  numberOf(memory: SharedArrayBuffer, introductions: Introductions): number {
    const known = this.#numbers.get(memory);
    const number = known ?? this.#next++;
    if (known === undefined) introductions.introduced.push([number, memory]);
    this.#numbers.delete(memory);
    this.#numbers.set(memory, number);
    return number;
  }

  /** Called when a batch is complete: what it names is forgotten only after it. */
  tidy(introductions: Introductions): void {
    for (const [memory, number] of this.#numbers) {
      if (this.#numbers.size <= KNOWN_MAX && memory.byteLength <= KEPT_BYTES_MAX) continue;
      this.#numbers.delete(memory);
      introductions.forgotten.push(number);
    }
  }
}
