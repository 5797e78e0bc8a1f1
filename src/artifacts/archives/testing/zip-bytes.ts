import { crc32, deflateRawSync } from 'node:zlib';

/** Zip archives byte by byte: valid and not. */
export interface RawZipEntry {
  readonly name?: string | Buffer;
  /** What the header in front of the content says instead. */
  readonly localName?: string;
  readonly content?: string | Buffer;
  readonly method?: number;
  readonly flags?: number;
  readonly unixMode?: number;
  /** 3: Unix. */
  readonly host?: number;
  readonly crc?: number;
  readonly bytes?: number;
  readonly compressedBytes?: number;
  /** Where the directory says that it is. */
  readonly offset?: number;
  readonly localMethod?: number;
  readonly extra?: Buffer;
}

interface EncodedEntry {
  readonly local: Buffer;
  readonly central: (offset: number) => Buffer;
}

function encodeEntry(entry: RawZipEntry): EncodedEntry {
  const content = Buffer.from(entry.content ?? '');
  const method = entry.method ?? 8;
  const stored = method === 8 ? deflateRawSync(content) : content;
  const crc = entry.crc ?? crc32(content);
  const name = Buffer.from(entry.name ?? 'file');
  const shared = (header: Buffer, at: number, shownName: Buffer, shownMethod: number): void => {
    header.writeUInt16LE(20, at);
    header.writeUInt16LE(entry.flags ?? 0x800, at + 2);
    header.writeUInt16LE(shownMethod, at + 4);
    header.writeUInt16LE(0x21, at + 8);
    header.writeUInt32LE(crc, at + 10);
    header.writeUInt32LE(entry.compressedBytes ?? stored.length, at + 14);
    header.writeUInt32LE(entry.bytes ?? content.length, at + 18);
    header.writeUInt16LE(shownName.length, at + 22);
  };
  const localName = Buffer.from(entry.localName ?? name);
  const localHeader = Buffer.alloc(30);
  localHeader.write('PK\x03\x04', 0, 'latin1');
  shared(localHeader, 4, localName, entry.localMethod ?? method);
  const extra = entry.extra ?? Buffer.alloc(0);
  const central = (offset: number): Buffer => {
    const header = Buffer.alloc(46);
    header.write('PK\x01\x02', 0, 'latin1');
    header.writeUInt8(20, 4);
    header.writeUInt8(entry.host ?? 3, 5);
    shared(header, 6, name, method);
    header.writeUInt16LE(extra.length, 30);
    header.writeUInt32LE(((entry.unixMode ?? 0o100644) << 16) >>> 0, 38);
    header.writeUInt32LE(entry.offset ?? offset, 42);
    return Buffer.concat([header, name, extra]);
  };
  return { local: Buffer.concat([localHeader, localName, stored]), central };
}

export interface RawZipOptions {
  /** How many entries the end says there are. */
  readonly entries?: number;
  readonly comment?: Buffer;
  readonly prefix?: Buffer;
  /** Between the last content and the directory. */
  readonly gap?: Buffer;
}

export function rawZipEnd(
  entries: number,
  directoryBytes: number,
  directoryOffset: number,
  comment: Buffer = Buffer.alloc(0),
): Buffer {
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(entries, 8);
  end.writeUInt16LE(entries, 10);
  end.writeUInt32LE(directoryBytes, 12);
  end.writeUInt32LE(directoryOffset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([end, comment]);
}

export function rawZip(entries: readonly RawZipEntry[], options: RawZipOptions = {}): Buffer {
  const encoded = entries.map(encodeEntry);
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const { local, central } of encoded) {
    centrals.push(central(offset));
    offset += local.length;
  }
  const gap = options.gap ?? Buffer.alloc(0);
  const directory = Buffer.concat(centrals);
  return Buffer.concat([
    options.prefix ?? Buffer.alloc(0),
    ...encoded.map(({ local }) => local),
    gap,
    directory,
    rawZipEnd(
      options.entries ?? entries.length,
      directory.length,
      offset + gap.length,
      options.comment,
    ),
  ]);
}
