import { lstat, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import type { Manifest, ManifestRoot } from '../../store/manifests/manifest.ts';
import { initRepository, openReader, openWriter } from '../../store/repository.ts';
import type { StoreReader, StoreWriter } from '../../store/store.ts';
import type { TreeEntry } from '../../store/trees/tree-entry.ts';
import type { RestoreRequest } from '../restore-request.ts';

/** A directory as a snapshot: what a capture writes, without what makes a capture hard. Files `*.db` are databases. */
async function storeDirectory(
  writer: StoreWriter,
  path: string,
  count: Record<string, number>,
): Promise<string> {
  const entries: TreeEntry[] = [];
  for (const name of await readdir(path)) {
    const child = join(path, name);
    const status = await lstat(child, { bigint: true });
    const base = {
      name,
      mode: Number(status.mode) & 0o7777,
      uid: Number(status.uid),
      gid: Number(status.gid),
      mtimeNs: String(status.mtimeNs),
    };
    if (status.isSymbolicLink()) {
      entries.push({ ...base, type: 'symlink', target: await readlink(child) });
      count['symlinks']! += 1;
    } else if (status.isDirectory()) {
      entries.push({
        ...base,
        type: 'directory',
        tree: await storeDirectory(writer, child, count),
      });
      count['directories']! += 1;
    } else {
      const bytes = await readFile(child);
      const read = (offset: number, length: number) => bytes.subarray(offset, offset + length);
      const source = { bytes: bytes.length, read };
      const content = await writer.writeContent(source, null, quietActivity());
      count['totalBytes']! += bytes.length;
      count[name.endsWith('.db') ? 'databases' : 'files']! += 1;
      entries.push(
        name.endsWith('.db')
          ? { ...base, type: 'database', content }
          : { ...base, type: 'file', content, ctimeNs: '0', inode: String(status.ino) },
      );
    }
  }
  return writer.writeTree(entries);
}

export type StoredRoot = Pick<ManifestRoot, 'class' | 'name' | 'path'>;

const prefixOf = ({ class: rootClass, name }: StoredRoot): string =>
  rootClass === 'extra' ? `extra/${name}` : rootClass;

function manifestOf(roots: ManifestRoot[], count: Record<string, number>): Manifest {
  const at = '2026-01-02T03:04:05.000Z';
  return {
    format: 1,
    type: 'full',
    origin: 'manual',
    reason: null,
    source: { id: 'app', name: 'app' },
    host: { name: 'host', os: 'linux', arch: 'x64' },
    tool: { name: 'holdfast', version: '0.0.0' },
    jobId: null,
    parent: null,
    startedAt: at,
    capturedAt: at,
    finishedAt: at,
    skewMs: 0,
    roots,
    databases: [],
    skipped: [],
    skippedCount: 0,
    changedWhileReading: [],
    warnings: [],
    sourceFingerprint: '0',
    statistics: {
      files: count['files']!,
      directories: count['directories']!,
      symlinks: count['symlinks']!,
      databases: count['databases']!,
      totalBytes: count['totalBytes']!,
      readBytes: count['totalBytes']!,
      chunksNew: 0,
      chunksDelta: 0,
      chunksReused: 0,
      addedBytes: 0,
    },
  };
}

/** A place with a repository, a state directory, and whatever a test puts into it. */
export class Workplace {
  readonly home: string;

  private constructor(home: string) {
    this.home = home;
  }

  static async make(): Promise<Workplace> {
    const workplace = new Workplace(await mkdtemp(join(tmpdir(), 'restore-')));
    await initRepository(workplace.repository, { clock: systemClock });
    return workplace;
  }

  get repository(): string {
    return join(this.home, 'repository');
  }

  get state(): string {
    return join(this.home, 'state');
  }

  at(...path: string[]): string {
    return join(this.home, ...path);
  }

  /** Snapshots real directories; `change` may falsify the manifest, or the tree of the first root. */
  async snapshot(
    roots: readonly StoredRoot[],
    change: {
      manifest?: (manifest: Manifest) => Manifest;
      entries?: (entries: TreeEntry[]) => TreeEntry[];
    } = {},
  ): Promise<string> {
    const writer = await openWriter(this.repository, {
      codec: 'none',
      verifyWrites: 'sample',
      clock: systemClock,
      lockWaitMs: 1000,
      purpose: 'test',
    });
    try {
      const count = { files: 0, directories: 0, symlinks: 0, databases: 0, totalBytes: 0 };
      const stored: ManifestRoot[] = [];
      for (const root of roots) {
        let tree = await storeDirectory(writer, root.path, count);
        if (change.entries !== undefined && stored.length === 0) {
          tree = await writer.writeTree(change.entries(await writer.reader.readTree(tree)));
        }
        stored.push({ ...root, prefix: prefixOf(root), tree, sameAs: null, missing: false });
      }
      const manifest = manifestOf(stored, count);
      const build = () => change.manifest?.(manifest) ?? manifest;
      return (await writer.commitSnapshot(build, quietActivity())).id;
    } finally {
      await writer.close();
    }
  }

  async read<T>(use: (reader: StoreReader) => Promise<T>): Promise<T> {
    const reader = await openReader(this.repository);
    try {
      return await use(reader);
    } finally {
      reader.close();
    }
  }

  /** A request with everything filled in, to a fresh directory unless told otherwise. */
  request(
    snapshotId: string,
    more: Partial<RestoreRequest> & Pick<RestoreRequest, 'target'>,
  ): RestoreRequest {
    return {
      snapshotId,
      paths: [],
      classes: [],
      overwrite: more.target.type === 'in-place' ? 'always' : 'never',
      dryRun: false,
      check: 'quick',
      forbiddenPaths: [this.repository],
      stateDirectory: this.state,
      jobId: null,
      sourceId: 'app',
      ...more,
    };
  }

  remove(): Promise<void> {
    return rm(this.home, { recursive: true, force: true });
  }
}
