import { isUtf8 } from 'node:buffer';
import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs';
import { type FileHandle, lstat, open, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import picomatch from 'picomatch';
import { isLocalFileSystem } from '../files/local-file-system.ts';
import { DIRECTORY_FLAGS, isOpenedAt, pathThrough } from '../files/opened-place.ts';
import { STAGING_NAME } from '../files/staging.ts';
import { messageOf, systemCode } from '../kernel/errors.ts';
import { LOGICAL_PATH_BYTES_MAX } from '../kernel/limits.ts';
import type { SkipReason, SkipRecord } from '../store/manifests/manifest.ts';
import { IncludePatterns } from './include-patterns.ts';
import { isAtOrBelow, PathLimits } from './logical-paths.ts';
import type { SelectedRoot } from './select-roots.ts';

/** The one place that decides which files belong to a source: capture and fingerprints both ask it. */

export interface ListedEntry {
  readonly name: string;
  /** Absolute; no component is a symlink. */
  readonly path: string;
  readonly logicalPath: string;
  readonly kind: 'file' | 'directory' | 'symlink';
  readonly stat: BigIntStats;
  /** Of a symlink, as bytes. */
  readonly target?: Buffer;
}

export interface Listing {
  /** Sorted by the bytes of their names. */
  readonly entries: readonly ListedEntry[];
  readonly skips: readonly SkipRecord[];
  /** Set when the directory itself could not be listed; it has then no entries. */
  readonly failure: SkipRecord | null;
}

export interface SelectionRules {
  /** picomatch patterns against logical paths. */
  readonly exclude: readonly string[];
  /** If there are any, files must match one of them, themselves or by a directory they are in. */
  readonly include: readonly string[];
  /** Absolute paths of our own files: never entered. */
  readonly forbiddenPaths: readonly string[];
  /** Every root of the source: one that lies inside another is stored on its own. */
  readonly roots: readonly SelectedRoot[];
  /** Logical paths the selection is limited to, with all below them; absent: everything. */
  readonly onlyPaths?: readonly string[];
  /** For a process that has nothing else to do meanwhile: local files are looked at one by one, which is cheaper. */
  readonly mayBlock?: boolean;
}

/** A directory that is open. */
interface OpenPlace {
  readonly directory: string;
  /** A path to it that stays with it, whatever its name leads to by now. */
  readonly through: string;
  readonly logicalPath: string;
}

interface NamedEntry {
  readonly name: string;
  readonly path: string;
  readonly logicalPath: string;
  /** The same as `path`, by way of the open directory. */
  readonly seen: string;
}

/** Why something vanished: what its name led to was not in its directory any more. */
export const LED_ELSEWHERE = 'its path leads elsewhere by now';

/** Stats asked for at a time. */
const STATS_AT_ONCE = 32;

export class FileSelection {
  readonly #isExcluded: (logicalPath: string) => boolean;
  readonly #include: IncludePatterns;
  readonly #forbidden: readonly string[];
  /** Device and inode of forbidden directories: they may be mounted at a second place. */
  readonly #forbiddenInodes: ReadonlySet<string>;
  readonly #roots: readonly SelectedRoot[];
  readonly #limits: PathLimits | null;
  /** Handing each look at a file to a thread costs more than looking. */
  readonly #looksAtOnce: boolean;

  private constructor(
    rules: SelectionRules,
    looksAtOnce: boolean,
    forbidden: readonly string[],
    forbiddenInodes: ReadonlySet<string>,
  ) {
    const patterns = [...rules.exclude];
    this.#isExcluded = patterns.length === 0 ? () => false : picomatch(patterns, { dot: true });
    this.#include = new IncludePatterns(rules.include);
    this.#forbidden = forbidden;
    this.#forbiddenInodes = forbiddenInodes;
    this.#roots = rules.roots;
    this.#looksAtOnce = looksAtOnce;
    this.#limits = rules.onlyPaths === undefined ? null : new PathLimits(rules.onlyPaths);
  }

  static async create(rules: SelectionRules): Promise<FileSelection> {
    const forbidden: string[] = [];
    const inodes = new Set<string>();
    for (const path of rules.forbiddenPaths) {
      const real = await realpath(path).catch(() => path);
      forbidden.push(real);
      const stat = await lstat(real, { bigint: true }).catch(() => null);
      if (stat?.isDirectory() === true) inodes.add(inodeOf(stat));
    }
    const looksAtOnce = rules.mayBlock === true && (await areLocal(rules.roots));
    return new FileSelection(rules, looksAtOnce, forbidden, inodes);
  }

  /** What a directory holds of the source. Opens no file; symlinks are not followed, wherever they come up. */
  async list(directory: string, logicalPath: string): Promise<Listing> {
    let handle: FileHandle;
    try {
      handle = await open(directory, DIRECTORY_FLAGS);
    } catch (error) {
      return { entries: [], skips: [], failure: skipForError(logicalPath, error) };
    }
    try {
      return await this.#listOpen(handle, directory, logicalPath);
    } finally {
      await handle.close();
    }
  }

  /** Looks through the open directory, so that it is one and the same from the first name to the last. */
  async #listOpen(handle: FileHandle, directory: string, logicalPath: string): Promise<Listing> {
    if (!isOpenedAt(handle.fd, directory)) {
      const failure = skip(logicalPath, 'vanished', LED_ELSEWHERE);
      return { entries: [], skips: [], failure };
    }
    const through = pathThrough(handle.fd, directory);
    const names = await listNames(through, logicalPath);
    if (!Array.isArray(names)) return { entries: [], skips: [], failure: names };
    const entries: ListedEntry[] = [];
    const skips: SkipRecord[] = [];
    const place = { directory, through, logicalPath };
    for (let start = 0; start < names.length; start += STATS_AT_ONCE) {
      const slice = names.slice(start, start + STATS_AT_ONCE);
      const looks = this.#looksAtOnce
        ? slice.map((name) => this.#lookAtOnce(place, name))
        : await Promise.all(slice.map((name) => this.#look(place, name)));
      for (const seen of looks) {
        if (seen === null) continue;
        if ('reason' in seen) skips.push(seen);
        else entries.push(seen);
      }
    }
    return { entries, skips, failure: null };
  }

  /** @returns null for what the selection is not about */
  #lookAtOnce(place: OpenPlace, rawName: Buffer): ListedEntry | SkipRecord | null {
    const named = this.#named(place, rawName);
    if (named === null || 'reason' in named) return named;
    try {
      return this.#entryOf(named, lstatSync(named.seen, { bigint: true }));
    } catch (error) {
      return skipFor(named.logicalPath, error, place);
    }
  }

  /** The same for a process that has other things to do meanwhile. */
  async #look(place: OpenPlace, rawName: Buffer): Promise<ListedEntry | SkipRecord | null> {
    const named = this.#named(place, rawName);
    if (named === null || 'reason' in named) return named;
    try {
      return this.#entryOf(named, await lstat(named.seen, { bigint: true }));
    } catch (error) {
      return skipFor(named.logicalPath, error, place);
    }
  }

  /** What a name alone tells. @returns null for what the selection is not about */
  #named(
    { directory, through, logicalPath: parentPath }: OpenPlace,
    rawName: Buffer,
  ): NamedEntry | SkipRecord | null {
    const name = rawName.toString('utf8');
    const logicalPath = `${parentPath}/${name}`;
    if (!isUtf8(rawName)) return skip(logicalPath, 'name-not-utf8', rawName.toString('hex'));
    if (!this.#isWanted(logicalPath)) return null;
    if (Buffer.byteLength(logicalPath) > LOGICAL_PATH_BYTES_MAX) {
      return skip(logicalPath, 'path-too-long');
    }
    const path = join(directory, name);
    const reason = STAGING_NAME.test(name) ? 'own-files' : this.#reasonByPath(path, logicalPath);
    if (reason !== null) return skip(logicalPath, reason);
    return { name, path, logicalPath, seen: join(through, name) };
  }

  /** @throws system errors of a symlink that is gone */
  #entryOf(
    { name, path, logicalPath, seen }: NamedEntry,
    stat: BigIntStats,
  ): ListedEntry | SkipRecord {
    const kind = kindOf(stat);
    if (kind === null) return skip(logicalPath, 'special-file', specialKindOf(stat));
    if (kind !== 'directory' && !this.#include.holds(logicalPath)) {
      return skip(logicalPath, 'not-included');
    }
    if (kind === 'directory' && this.#forbiddenInodes.has(inodeOf(stat))) {
      return skip(logicalPath, 'own-files');
    }
    if (kind !== 'symlink') return { name, path, logicalPath, kind, stat };
    const target = readlinkSync(seen, { encoding: 'buffer' });
    return { name, path, logicalPath, kind, stat, target };
  }

  /** Include patterns that no file listed so far has matched. */
  get unmatchedIncludes(): readonly string[] {
    return this.#include.unmatched;
  }

  /** Why the rules leave out a file at this logical path, or null. */
  reasonFor(logicalPath: string): SkipReason | null {
    const directories = logicalPath.split('/').map((_, index, parts) => parts.slice(0, index + 1));
    if (directories.some((parts) => this.#isExcluded(parts.join('/')))) return 'excluded';
    return this.#include.holds(logicalPath) ? null : 'not-included';
  }

  #isWanted(logicalPath: string): boolean {
    return this.#limits?.isOnTheWay(logicalPath) ?? true;
  }

  #reasonByPath(path: string, logicalPath: string): SkipReason | null {
    if (this.#forbidden.some((own) => isAtOrBelow(path, own))) return 'own-files';
    if (this.#roots.some((root) => root.path === path)) return 'other-root';
    return this.#isExcluded(logicalPath) ? 'excluded' : null;
  }
}

async function areLocal(roots: readonly SelectedRoot[]): Promise<boolean> {
  const present = roots.filter(({ stat }) => stat !== null);
  const local = await Promise.all(present.map(({ path }) => isLocalFileSystem(path)));
  return local.every(Boolean);
}

async function listNames(directory: string, logicalPath: string): Promise<Buffer[] | SkipRecord> {
  try {
    const names = await readdir(directory, { encoding: 'buffer' });
    return names.sort(Buffer.compare);
  } catch (error) {
    return skipForError(logicalPath, error);
  }
}

export function skip(path: string, reason: SkipReason, message?: string): SkipRecord {
  return message === undefined ? { path, reason } : { path, reason, message };
}

/** What cannot be looked at or read is left out of the snapshot and said so; nothing else is left out for an error. */
export function skipForError(path: string, error: unknown): SkipRecord {
  const code = systemCode(error);
  if (code === undefined) throw error;
  const gone = code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP';
  return skip(path, gone ? 'vanished' : 'unreadable', messageOf(error));
}

/** Messages name the directory, not the way to it through a descriptor. */
function skipFor(
  logicalPath: string,
  error: unknown,
  { through, directory }: OpenPlace,
): SkipRecord {
  const { message, ...record } = skipForError(logicalPath, error);
  return { ...record, message: message!.replaceAll(through, directory) };
}

function kindOf(stat: BigIntStats): ListedEntry['kind'] | null {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  return stat.isSymbolicLink() ? 'symlink' : null;
}

function specialKindOf(stat: BigIntStats): string {
  if (stat.isFIFO()) return 'pipe';
  if (stat.isSocket()) return 'socket';
  return 'device';
}

function inodeOf(stat: BigIntStats): string {
  return `${stat.dev}:${stat.ino}`;
}
