import { execFile } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { quietActivity } from '../../../kernel/activity.ts';
import type { ArchiveEntry, ArchiveFormat } from '../archive-entry.ts';
import { type ExtractedArchive, type ExtractOptions, extractArchive } from '../extract-archive.ts';
import { writeArchive } from '../write-archive.ts';

const run = promisify(execFile);

/** A directory of a test, with its archives and what becomes of them. */
export class ArchiveScratch {
  readonly root: string;
  #count = 0;

  private constructor(root: string) {
    this.root = root;
  }

  static async make(): Promise<ArchiveScratch> {
    return new ArchiveScratch(await mkdtemp(join(tmpdir(), 'archives-')));
  }

  /** A name that nothing has. */
  fresh(name: string): string {
    this.#count += 1;
    return join(this.root, `${this.#count}-${name}`);
  }

  async file(bytes: Uint8Array): Promise<string> {
    const path = this.fresh('archive');
    await writeFile(path, bytes);
    return path;
  }

  async archive(entries: readonly ArchiveEntry[], format: ArchiveFormat): Promise<string> {
    return this.file(await bytesOfArchive(entries, format));
  }

  /** Extracts into a fresh directory. */
  async extract(
    path: string,
    options: Partial<ExtractOptions> = {},
  ): Promise<ExtractedArchive & { readonly directory: string }> {
    const directory = this.fresh('tree');
    const extracted = await extractArchive(path, directory, {
      activity: quietActivity(),
      ...options,
    });
    return { ...extracted, directory };
  }

  /** Everything below the scratch directory, so that a test sees what was left behind. */
  async names(): Promise<string[]> {
    return (await readdir(this.root, { recursive: true })).sort();
  }

  /** Empties it. */
  async clear(): Promise<void> {
    await openUp(this.root);
    for (const name of await readdir(this.root)) {
      await rm(join(this.root, name), { recursive: true });
    }
  }

  async remove(): Promise<void> {
    await openUp(this.root);
    await rm(this.root, { recursive: true, force: true });
  }
}

/** Makes directories writable again, so that they can be removed. */
async function openUp(path: string): Promise<void> {
  if (!(await lstat(path)).isDirectory()) return;
  await chmod(path, 0o700);
  for (const name of await readdir(path)) await openUp(join(path, name));
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

export async function* each<T>(items: Iterable<T>): AsyncGenerator<T, void> {
  yield* items;
}

export function bytesOfArchive(
  entries: readonly ArchiveEntry[],
  format: ArchiveFormat,
): Promise<Buffer> {
  return collect(writeArchive(each(entries), format, quietActivity()));
}

export function fileEntry(path: string, content: Uint8Array | string, mode = 0o640): ArchiveEntry {
  const bytes = Buffer.from(content);
  return {
    path,
    type: 'file',
    mode,
    modifiedMs: 1_700_000_000_125,
    bytes: bytes.length,
    content: () => each([bytes]),
  };
}

export const directoryEntry = (path: string, mode = 0o750): ArchiveEntry => ({
  path,
  type: 'directory',
  mode,
  modifiedMs: 1_600_000_000_000,
  bytes: 0,
});

export const linkEntry = (path: string, linkTarget: string): ArchiveEntry => ({
  path,
  type: 'symlink',
  mode: 0o777,
  modifiedMs: 1_500_000_000_500,
  bytes: 0,
  linkTarget,
});

/** Runs a program in a directory; its output. */
export async function runIn(
  directory: string,
  program: string,
  ...values: string[]
): Promise<string> {
  await mkdir(directory, { recursive: true });
  const { stdout } = await run(program, values, { cwd: directory, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** Whether a program of the system is there. */
export async function hasProgram(program: string): Promise<boolean> {
  return run('sh', ['-c', `command -v ${program}`]).then(
    () => true,
    () => false,
  );
}
