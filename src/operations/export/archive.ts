import type { ArchiveEntry } from '../../artifacts/archives/archive-entry.ts';
import { type ArchiveFormat, writeArchive } from '../../artifacts/archives/write-archive.ts';
import { PathLimits } from '../../capture/logical-paths.ts';
import { checkLogicalPath } from '../../files/safe-path.ts';
import { cannot } from '../../kernel/errors.ts';
import type { Manifest, RootClass } from '../../store/manifests/manifest.ts';
import type { StoreReader } from '../../store/store.ts';
import type { TreeEntry } from '../../store/trees/tree-entry.ts';
import type { OperationContext } from '../operation.ts';
import type { ExportTarget } from './target.ts';

export interface ArchiveExport {
  readonly manifest: Manifest;
  readonly format: ArchiveFormat;
  /** Logical, each with all below it; none: everything. */
  readonly paths: readonly string[];
  readonly classes: readonly RootClass[];
}

export interface ArchiveExported {
  readonly entries: number;
  readonly files: number;
  readonly databases: number;
  /** Of the files, before anything is compressed. */
  readonly contentBytes: number;
}

/** Files of a snapshot by their logical paths, `data/app.db`; every chunk is verified as it is read. */
export async function exportArchive(
  context: OperationContext,
  reader: StoreReader,
  request: ArchiveExport,
  target: ExportTarget,
): Promise<ArchiveExported> {
  const { manifest, format, paths } = request;
  for (const path of paths) {
    checkLogicalPath(path);
    await reader.findEntry(manifest, path);
  }
  const walk = new SnapshotWalk(context, reader, request);
  await target.write(writeArchive(walk.entries(), format, context.activity));
  if (walk.counts.entries > 0) return walk.counts;
  throw cannot('PATH_NOT_FOUND', 'export', manifest.source.name, 'the snapshot holds none of it', {
    hint: 'Leave --part out, or choose another one.',
  });
}

class SnapshotWalk {
  readonly #context: OperationContext;
  readonly #reader: StoreReader;
  readonly #request: ArchiveExport;
  readonly #limits: PathLimits | null;
  readonly counts = { entries: 0, files: 0, databases: 0, contentBytes: 0 };

  constructor(context: OperationContext, reader: StoreReader, request: ArchiveExport) {
    this.#context = context;
    this.#reader = reader;
    this.#request = request;
    this.#limits = request.paths.length === 0 ? null : new PathLimits(request.paths);
  }

  async *entries(): AsyncGenerator<ArchiveEntry> {
    const { manifest, classes, paths } = this.#request;
    const isWhole = paths.length === 0 && classes.length === 0;
    const { files, databases, directories, symlinks, totalBytes } = manifest.statistics;
    const roots = manifest.roots.filter(({ tree }) => tree !== null).length;
    const totalFiles = files + databases + directories + symlinks + roots;
    this.#context.activity.progress({
      phase: 'write archive',
      ...(isWhole ? { totalFiles, totalBytes } : {}),
    });
    for (const { class: rootClass, prefix, tree } of manifest.roots) {
      // What is missing has no tree; what another root holds is not written twice.
      if (tree === null || (classes.length > 0 && !classes.includes(rootClass))) continue;
      if (this.#limits?.isOnTheWay(prefix) === false) continue;
      yield* this.#entry(prefix, await this.#reader.findEntry(manifest, prefix));
    }
  }

  async *#entry(path: string, entry: TreeEntry): AsyncGenerator<ArchiveEntry> {
    const { activity } = this.#context;
    activity.signal.throwIfAborted();
    const modifiedMs = Number(BigInt(entry.mtimeNs) / 1000n) / 1000;
    const base = { path, mode: entry.mode & 0o777, modifiedMs, bytes: 0 };
    this.counts.entries += 1;
    if (entry.type === 'directory') {
      yield { ...base, type: 'directory' };
      yield* this.#children(path, entry.tree);
    } else if (entry.type === 'symlink') {
      yield { ...base, type: 'symlink', linkTarget: entry.target };
    } else {
      const { content } = entry;
      yield {
        ...base,
        type: 'file',
        bytes: content.bytes,
        content: () => this.#reader.readContent(content),
      };
      this.counts[entry.type === 'file' ? 'files' : 'databases'] += 1;
      this.counts.contentBytes += content.bytes;
    }
  }

  async *#children(path: string, tree: string): AsyncGenerator<ArchiveEntry> {
    for (const child of await this.#reader.readTree(tree)) {
      const childPath = `${path}/${child.name}`;
      if (this.#limits?.isOnTheWay(childPath) === false) continue;
      yield* this.#entry(childPath, child);
    }
  }
}
