import type { StoreReader } from '../store/store.ts';
import type { DatabaseSnapshot, SnapshotDatabases } from './snapshot-databases.ts';

/** Chunks kept in memory: pages that are looked at together often lie together. */
const CHUNKS_KEPT_MAX = 64;

/** Single pages of a database as a snapshot has them, straight from the repository: no image is extracted. */
export class StoredPages {
  readonly #reader: StoreReader;
  readonly #ids: readonly string[];
  readonly #pageBytes: number;
  readonly #chunks = new Map<number, Buffer>();
  #chunkBytes = 0;

  private constructor(reader: StoreReader, ids: readonly string[], pageBytes: number) {
    this.#reader = reader;
    this.#ids = ids;
    this.#pageBytes = pageBytes;
  }

  /** @throws VERIFY_FAILED, REPO_CORRUPT */
  static async open(
    snapshot: DatabaseSnapshot,
    snapshots: SnapshotDatabases,
  ): Promise<StoredPages> {
    const { content } = await snapshots.entryOf(snapshot);
    const ids: string[] = [];
    for await (const id of snapshots.reader.chunkIds(content)) ids.push(id);
    const pages = new StoredPages(snapshots.reader, ids, snapshot.database.pageBytes);
    // Every chunk but the last is as long as the first.
    pages.#chunkBytes = ids.length === 0 ? 0 : (await pages.#chunk(0)).length;
    return pages;
  }

  async #chunk(index: number): Promise<Buffer> {
    const known = this.#chunks.get(index);
    if (known !== undefined) return known;
    const chunk = await this.#reader.readChunk(this.#ids[index]!);
    if (this.#chunks.size >= CHUNKS_KEPT_MAX) {
      this.#chunks.delete(this.#chunks.keys().next().value!);
    }
    this.#chunks.set(index, chunk);
    return chunk;
  }

  /** The page, hashed with its chunk; null when the snapshot has no such page. */
  async read(page: number): Promise<Buffer | null> {
    const offset = (page - 1) * this.#pageBytes;
    const index = Math.floor(offset / this.#chunkBytes);
    if (page < 1 || index >= this.#ids.length) return null;
    const chunk = await this.#chunk(index);
    const start = offset - index * this.#chunkBytes;
    const bytes = chunk.subarray(start, start + this.#pageBytes);
    return bytes.length === this.#pageBytes ? bytes : null;
  }
}
