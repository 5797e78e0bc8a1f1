/** Tar archives byte by byte: valid and not. */
export interface RawTarEntry {
  readonly name?: string | Buffer;
  readonly type?: string;
  readonly mode?: number;
  readonly content?: string | Buffer;
  readonly linkName?: string;
  /** What the header says instead of the length of the content: octal digits, or the field itself. */
  readonly size?: string | Buffer;
  readonly mtime?: string;
  readonly prefix?: string;
  readonly badChecksum?: boolean;
}

export const TAR_END: Buffer = Buffer.alloc(1024);

export function rawTarHeader(entry: RawTarEntry): Buffer {
  const content = Buffer.from(entry.content ?? '');
  const block = Buffer.alloc(512);
  const put = (value: string | Buffer, at: number, bytes: number): void => {
    Buffer.from(value).copy(block, at, 0, bytes);
  };
  put(entry.name ?? 'file', 0, 100);
  put((entry.mode ?? 0o644).toString(8).padStart(7, '0'), 100, 8);
  put('0000000', 108, 8);
  put('0000000', 116, 8);
  put(entry.size ?? content.length.toString(8).padStart(11, '0'), 124, 12);
  put(entry.mtime ?? '14371573400', 136, 12);
  put(entry.type ?? '0', 156, 1);
  put(entry.linkName ?? '', 157, 100);
  put('ustar\x0000', 257, 8);
  put(entry.prefix ?? '', 345, 155);
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, entry.badChecksum === true ? 1 : 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  return block;
}

export function rawTarEntry(entry: RawTarEntry): Buffer {
  const content = Buffer.from(entry.content ?? '');
  const padding = Buffer.alloc(-content.length & 511);
  return Buffer.concat([rawTarHeader(entry), content, padding]);
}

export function rawTar(...entries: readonly RawTarEntry[]): Buffer {
  return Buffer.concat([...entries.map(rawTarEntry), TAR_END]);
}

/** A pax header in front of the next entry. */
export function rawPax(records: Readonly<Record<string, string>>, type = 'x'): RawTarEntry {
  const content = Object.entries(records).map(([key, value]) => {
    const bytes = Buffer.byteLength(` ${key}=${value}\n`);
    let length = bytes + String(bytes).length;
    length = bytes + String(length).length;
    return `${length} ${key}=${value}\n`;
  });
  return { name: 'pax', type, content: content.join('') };
}
