/**
 * Archives: trees of files as one stream of bytes that every system's own tools read.
 * An entry is what one of them holds under one path; readers and writers of every format exchange entries.
 */
export interface ArchiveEntry {
  /** Relative, `/`-separated, without a slash at its end. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink';
  /** `mode & 0o777`; whatever else is in it is neither written nor restored. */
  readonly mode: number;
  /** Milliseconds since the epoch, which may have a fraction. */
  readonly modifiedMs: number;
  /** Of the content; 0 for what is not a file. */
  readonly bytes: number;
  /** A symlink's, as it stands in the link. */
  readonly linkTarget?: string;
  /** A file's content, exactly `bytes` of it. What a reader yields is read before the next entry is asked for. */
  readonly content?: () => AsyncIterable<Uint8Array>;
}

export type ArchiveFormat = 'tar' | 'tar.gz' | 'tar.zst' | 'zip';
