import { HoldfastError } from '../../kernel/errors.ts';
import type { ReadObject } from '../chunks/walk-content.ts';

/** Remembers what was asked for and is not there. */
export class MissingObjects {
  readonly ids = new Set<string>();
  readonly #has: (id: string) => boolean;
  readonly #read: ReadObject;

  constructor(has: (id: string) => boolean, read: ReadObject) {
    this.#has = has;
    this.#read = read;
  }

  holds(id: string): boolean {
    if (this.#has(id)) return true;
    this.ids.add(id);
    return false;
  }

  async read(id: string): Promise<Buffer> {
    try {
      return await this.#read(id);
    } catch (error) {
      if (error instanceof HoldfastError) this.ids.add(id);
      throw error;
    }
  }
}
