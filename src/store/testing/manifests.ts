import type { Content } from '../chunks/content.ts';
import type { Manifest } from '../manifests/manifest.ts';
import type { ContentSource, WriterStatistics } from '../store.ts';
import type { FileEntry } from '../trees/tree-entry.ts';

/** Bytes in memory as what a writer reads. */
export function sourceOf(bytes: Buffer): ContentSource {
  return {
    bytes: bytes.length,
    read: (offset, lengthBytes) => bytes.subarray(offset, offset + lengthBytes),
  };
}

export function fileEntry(name: string, content: Content): FileEntry {
  return {
    type: 'file',
    name,
    mode: 0o640,
    uid: 1000,
    gid: 1000,
    mtimeNs: '1700000000000000001',
    ctimeNs: '1700000000000000002',
    inode: '42',
    content,
  };
}

/** A manifest with one data root, for tests that care about its tree alone. */
export function manifestOf(
  tree: string,
  statistics: WriterStatistics,
  overrides: Partial<Manifest> = {},
): Manifest {
  const at = '2026-01-02T03:04:05.678Z';
  return {
    format: 1,
    type: 'full',
    origin: 'manual',
    reason: null,
    source: { id: 'source-1', name: 'app' },
    host: { name: 'host', os: 'linux', arch: 'x64' },
    tool: { name: 'holdfast', version: '0.0.0' },
    jobId: null,
    parent: null,
    startedAt: at,
    capturedAt: at,
    finishedAt: at,
    skewMs: 0,
    roots: [
      {
        class: 'data',
        name: null,
        prefix: 'data',
        path: '/srv/app',
        tree,
        sameAs: null,
        missing: false,
      },
    ],
    databases: [],
    skipped: [],
    skippedCount: 0,
    changedWhileReading: [],
    warnings: [],
    sourceFingerprint: '',
    statistics: {
      files: 1,
      directories: 0,
      symlinks: 0,
      databases: 0,
      totalBytes: 0,
      readBytes: 0,
      ...statistics,
    },
    ...overrides,
  };
}
