import { constants } from 'node:fs';
import { chmod, lutimes, mkdir, open, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory, syncFile } from '../../files/durable.ts';
import { durableStep } from '../../files/durable-steps.ts';
import { ParallelWork } from '../../files/parallel-work.ts';
import { writeAll } from '../../files/write-all.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import type { ArchiveEntry } from './archive-entry.ts';
import { unsafe } from './archive-refusal.ts';

/** Syncs that wait for the medium together are written by it together. */
const SYNCS_AT_ONCE = 32;
/** Contents up to this size wait in memory for their turn. */
const SMALL_BYTES_MAX = 64 * 1024;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const OLD_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Seconds as text, since Node takes a negative number for the present. It cuts off at microseconds, towards zero:
 * half of one more keeps the nearest double from being the one before.
 */
function utimeOf(ms: number): string {
  const micros = Math.round(ms * 1000);
  return String((micros + (micros < 0 ? -0.5 : 0.5)) / 1e6);
}

/** What the file system says of a name, as the archive's fault where it is. */
function asNameRefusal(error: unknown, path: string): unknown {
  const code = systemCode(error);
  if (code === 'EEXIST') return unsafe(path, 'the file system takes two names for the same');
  if (code === 'ENAMETOOLONG') return unsafe(path, 'it is too long for the file system');
  if (code === 'EILSEQ') return unsafe(path, 'the file system does not take its name');
  return error;
}

/**
 * A directory of nobody else, filled with the entries of an archive. Links are made when every file is there, so
 * that none can be walked through, and directories get their modes after that, deepest first.
 */
export class ExtractedTree {
  readonly #root: string;
  readonly #directories: string[] = [];
  readonly #directoryEntries = new Map<string, ArchiveEntry>();
  readonly #links: ArchiveEntry[] = [];
  readonly #smallFiles = new ParallelWork(SYNCS_AT_ONCE);

  private constructor(root: string) {
    this.#root = root;
  }

  /** @throws TARGET_NOT_EMPTY when something is there, PATH_NOT_FOUND when there is no directory to put it in */
  static async make(root: string): Promise<ExtractedTree> {
    await durableStep('mkdir', root, () => mkdir(root, { mode: 0o700 })).catch((cause: unknown) => {
      const code = systemCode(cause);
      const hint = 'Name a directory that does not exist, in one that does.';
      if (code === 'EEXIST') {
        throw cannot('TARGET_NOT_EMPTY', 'extract to', root, 'it exists already', { hint, cause });
      }
      if (code !== 'ENOENT') throw cause;
      throw cannot('PATH_NOT_FOUND', 'extract to', root, 'its parent is missing', { hint, cause });
    });
    return new ExtractedTree(root);
  }

  /** Private, and writable, until its own mode is set at the very end. */
  async addDirectory(path: string): Promise<void> {
    const place = join(this.#root, path);
    try {
      await durableStep('mkdir', place, () => mkdir(place, { mode: 0o700 }));
    } catch (error) {
      throw asNameRefusal(error, path);
    }
    this.#directories.push(path);
  }

  /** Directories above it are there. Its content is read before this resolves. */
  async add(entry: ArchiveEntry): Promise<void> {
    if (entry.type === 'directory') this.#directoryEntries.set(entry.path, entry);
    else if (entry.type === 'symlink') this.#links.push(entry);
    else if (entry.bytes <= SMALL_BYTES_MAX) await this.#addSmallFile(entry);
    else await this.#writeFile(entry, entry.content!());
  }

  async #addSmallFile(entry: ArchiveEntry): Promise<void> {
    const pieces: Uint8Array[] = [];
    if (entry.content !== undefined) {
      // Copies: what a reader yields may be a window of something larger.
      for await (const piece of entry.content()) pieces.push(Uint8Array.from(piece));
    }
    await this.#smallFiles.add(() => this.#writeFile(entry, pieces));
  }

  async #writeFile(
    { path, mode, modifiedMs }: ArchiveEntry,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    const place = join(this.#root, path);
    const handle = await open(place, NEW_FILE, 0o600).catch((error: unknown) => {
      throw asNameRefusal(error, path);
    });
    try {
      for await (const piece of content) await writeAll(handle, piece);
      await handle.chmod(mode & 0o777);
      await handle.utimes(utimeOf(modifiedMs), utimeOf(modifiedMs));
      await syncFile(handle, place);
    } finally {
      await handle.close();
    }
  }

  /** Makes the links, sets what directories have, and syncs all of it. */
  async finish(): Promise<void> {
    await this.#smallFiles.settle();
    for (const link of this.#links) await this.#addLink(link);
    await this.#finishDirectories();
    await syncDirectory(this.#root);
    await syncDirectory(dirname(this.#root));
  }

  async #addLink({ path, linkTarget, modifiedMs }: ArchiveEntry): Promise<void> {
    const place = join(this.#root, path);
    try {
      await durableStep('symlink', place, () => symlink(linkTarget!, place));
    } catch (error) {
      throw asNameRefusal(error, path);
    }
    await lutimes(place, utimeOf(modifiedMs), utimeOf(modifiedMs));
  }

  /** Level by level from below: a mode may forbid to enter what is further down. */
  async #finishDirectories(): Promise<void> {
    const levels = new Map<number, string[]>();
    for (const path of this.#directories) {
      const depth = path.split('/').length;
      const level = levels.get(depth);
      if (level === undefined) levels.set(depth, [path]);
      else level.push(path);
    }
    for (const depth of [...levels.keys()].sort((left, right) => right - left)) {
      const work = new ParallelWork(SYNCS_AT_ONCE);
      try {
        for (const path of levels.get(depth)!) await work.add(() => this.#finishDirectory(path));
        await work.settle();
      } finally {
        await work.idle();
      }
    }
  }

  async #finishDirectory(path: string): Promise<void> {
    const place = join(this.#root, path);
    const entry = this.#directoryEntries.get(path);
    const handle = await open(place, OLD_DIRECTORY);
    try {
      if (entry !== undefined) {
        await handle.chmod(entry.mode & 0o777);
        await handle.utimes(utimeOf(entry.modifiedMs), utimeOf(entry.modifiedMs));
      }
      await durableStep('fsync-directory', place, () => handle.sync());
    } finally {
      await handle.close();
    }
  }

  /** Removes everything, whatever modes it has been given. */
  async remove(): Promise<void> {
    await this.#smallFiles.idle();
    // Topmost first, as they were made.
    for (const path of this.#directories) await chmod(join(this.#root, path), 0o700);
    await rm(this.#root, { recursive: true, force: true });
  }
}
