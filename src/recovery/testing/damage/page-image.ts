/** Pages of a database file in memory, and the few rules of the format that the generator needs. */
export class PageImage {
  readonly bytes: Buffer;
  readonly pageBytes: number;

  constructor(bytes: Buffer, pageBytes: number) {
    this.bytes = bytes;
    this.pageBytes = pageBytes;
  }

  get pageCount(): number {
    return Math.floor(this.bytes.length / this.pageBytes);
  }

  /** A view: writing to it changes the image. */
  page(number: number): Buffer {
    return this.bytes.subarray((number - 1) * this.pageBytes, number * this.pageBytes);
  }

  copy(): PageImage {
    return new PageImage(Buffer.from(this.bytes), this.pageBytes);
  }
}

/** @returns small values only: what a generated database holds */
export function readVarint(bytes: Buffer, start: number): { value: number; next: number } {
  let value = 0;
  for (let at = start; ; at += 1) {
    const byte = bytes[at]!;
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, next: at + 1 };
  }
}

/** How much of a payload stands in its cell (SQLite file format §1.6); generated pages have no reserved bytes. */
export function payloadLayout(
  payloadBytes: number,
  usableBytes: number,
  isIndex: boolean,
): { readonly localBytes: number; readonly overflows: boolean } {
  const most = isIndex ? Math.floor(((usableBytes - 12) * 64) / 255) - 23 : usableBytes - 35;
  if (payloadBytes <= most) return { localBytes: payloadBytes, overflows: false };
  const least = Math.floor(((usableBytes - 12) * 32) / 255) - 23;
  const wanted = least + ((payloadBytes - least) % (usableBytes - 4));
  return { localBytes: wanted <= most ? wanted : least, overflows: true };
}
