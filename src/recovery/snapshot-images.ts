import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Activity } from '../kernel/activity.ts';
import { extractContent } from '../store/chunks/extract-content.ts';
import type { DatabaseSnapshot, SnapshotDatabases } from './snapshot-databases.ts';

/** Extracted images of one database, one per snapshot, in scratch: extracted once, read by several steps. */
export class SnapshotImages {
  readonly #snapshots: SnapshotDatabases;
  readonly #path: string;
  readonly #directory: string;
  readonly #images = new Map<string, Promise<string>>();

  constructor(snapshots: SnapshotDatabases, path: string, directory: string) {
    this.#snapshots = snapshots;
    this.#path = path;
    this.#directory = directory;
  }

  soundOnes(): AsyncGenerator<DatabaseSnapshot> {
    return this.#snapshots.soundOnes(this.#path);
  }

  /** The newest whose content is whole, with its image; null when there is none. */
  async newest(
    activity: Activity,
  ): Promise<{ readonly snapshot: DatabaseSnapshot; readonly image: string } | null> {
    for await (const snapshot of this.soundOnes()) {
      const image = await this.image(snapshot, activity).catch(() => {
        activity.signal.throwIfAborted();
        return null;
      });
      if (image !== null) return { snapshot, image };
    }
    return null;
  }

  /**
   * The image's path; it must not be changed. Every chunk was hashed on its way.
   * @throws VERIFY_FAILED, REPO_CORRUPT
   */
  image(snapshot: DatabaseSnapshot, activity: Activity): Promise<string> {
    const known = this.#images.get(snapshot.id);
    if (known !== undefined) return known;
    const image = this.#extract(snapshot, activity);
    this.#images.set(snapshot.id, image);
    return image;
  }

  async #extract(snapshot: DatabaseSnapshot, activity: Activity): Promise<string> {
    const directory = join(this.#directory, snapshot.id.slice(0, 16));
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const image = join(directory, 'image.db');
    const { content } = await this.#snapshots.entryOf(snapshot);
    const handle = await open(image, 'wx', 0o600);
    try {
      await extractContent(this.#snapshots.reader, content, handle, activity);
    } finally {
      await handle.close();
    }
    return image;
  }
}
