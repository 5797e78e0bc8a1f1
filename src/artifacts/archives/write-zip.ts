import { constants, crc32, createDeflateRaw, deflateRawSync } from 'node:zlib';
import type { ArchiveEntry } from './archive-entry.ts';
import { throughTransform } from './coded-stream.ts';
import {
  DEFLATED,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_SYMLINK,
  SATURATED_32,
  STORED,
} from './zip-format.ts';
import {
  centralHeader,
  dataDescriptor,
  endOfArchive,
  localHeader,
  type ZipRecord,
} from './zip-records.ts';

/** Smaller contents are compressed at once, so that their sizes stand in front of them. */
const WHOLE_BYTES_MAX = 256 * 1024;
/** Deflate makes what it cannot compress a little longer; what might pass 32 bits by that gets 64. */
const LARGE_BYTES_MIN = SATURATED_32 - 16 * 1024 * 1024;

const HEADERS_TOGETHER = 1024;

const TYPE_BITS = { file: MODE_FILE, directory: MODE_DIRECTORY, symlink: MODE_SYMLINK } as const;

async function contentOf(entry: ArchiveEntry): Promise<Buffer> {
  if (entry.type === 'symlink') return Buffer.from(entry.linkTarget ?? '');
  const pieces: Uint8Array[] = [];
  if (entry.content !== undefined) for await (const piece of entry.content()) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Writes entries one after another and remembers what the directory at the end says of them. */
class ZipWriter {
  /** The directory, written as the entries are, in large pieces: far smaller than an object for each would be. */
  readonly #directory: Buffer[] = [];
  #headers: Buffer[] = [];
  #entries = 0;
  #directoryBytes = 0;
  #offset = 0;

  async *write(entries: AsyncIterable<ArchiveEntry>): AsyncGenerator<Uint8Array, void> {
    for await (const entry of entries) {
      const isWhole = entry.type !== 'file' || entry.bytes <= WHOLE_BYTES_MAX;
      for await (const piece of isWhole ? this.#writeWhole(entry) : this.#writeStream(entry)) {
        this.#offset += piece.length;
        yield piece;
      }
    }
    const directoryOffset = this.#offset;
    yield* this.#directory;
    yield* this.#headers;
    yield endOfArchive(this.#entries, directoryOffset, this.#directoryBytes);
  }

  async *#writeWhole(entry: ArchiveEntry): AsyncGenerator<Uint8Array, void> {
    const content = await contentOf(entry);
    const deflated =
      entry.type === 'file' && content.length > 0 ? deflateRawSync(content) : content;
    const isDeflated = deflated.length < content.length;
    const stored = isDeflated ? deflated : content;
    const record: ZipRecord = {
      ...this.#start(entry, content.length),
      method: isDeflated ? DEFLATED : STORED,
      hasDescriptor: false,
      isLarge: false,
      crc: crc32(content),
      compressedBytes: stored.length,
    };
    yield localHeader(record);
    yield stored;
    this.#remember(record);
  }

  async *#writeStream(entry: ArchiveEntry): AsyncGenerator<Uint8Array, void> {
    const record: ZipRecord = {
      ...this.#start(entry, entry.bytes),
      method: DEFLATED,
      hasDescriptor: true,
      isLarge: entry.bytes >= LARGE_BYTES_MIN,
      crc: 0,
      compressedBytes: 0,
    };
    yield localHeader(record);
    async function* summed(): AsyncGenerator<Uint8Array, void> {
      for await (const piece of entry.content!()) {
        record.crc = crc32(piece, record.crc);
        yield piece;
      }
    }
    const options = { level: constants.Z_DEFAULT_COMPRESSION, chunkSize: 64 * 1024 };
    for await (const piece of throughTransform(summed(), createDeflateRaw(options))) {
      record.compressedBytes += piece.length;
      yield piece;
    }
    yield dataDescriptor(record);
    this.#remember(record);
  }

  #start(entry: ArchiveEntry, bytes: number) {
    return {
      name: Buffer.from(entry.type === 'directory' ? `${entry.path}/` : entry.path),
      unixMode: TYPE_BITS[entry.type] | (entry.mode & 0o777),
      modifiedMs: entry.modifiedMs,
      bytes,
      offset: this.#offset,
    };
  }

  #remember(record: ZipRecord): void {
    const header = centralHeader(record);
    this.#headers.push(header);
    if (this.#headers.length === HEADERS_TOGETHER) {
      this.#directory.push(Buffer.concat(this.#headers));
      this.#headers = [];
    }
    this.#directoryBytes += header.length;
    this.#entries += 1;
  }
}

/** ZIP with UTF-8 names, Unix modes and symlinks, times in UTC, and zip64 where a number needs it. */
export function writeZip(entries: AsyncIterable<ArchiveEntry>): AsyncGenerator<Uint8Array, void> {
  return new ZipWriter().write(entries);
}
