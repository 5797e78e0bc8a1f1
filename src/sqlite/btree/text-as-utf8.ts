import type { StoredText } from '../format/record.ts';

/**
 * The text as SQLite's own collations other than BINARY see it: in UTF-8, whatever the encoding of the database.
 * UTF-16 is converted as SQLite does it, which takes half a surrogate pair together with whatever follows.
 */
export function textAsUtf8({ bytes, encoding }: StoredText): Buffer {
  if (encoding === 'UTF-8') return bytes;
  const whole = Buffer.from(bytes.subarray(0, bytes.length & ~1));
  if (encoding === 'UTF-16be') whole.swap16();
  // Two bytes of UTF-16 become at most three of UTF-8.
  const converted = Buffer.alloc((whole.length / 2) * 3);
  let end = 0;
  for (let at = 0; at < whole.length; at += 2) {
    let point = whole.readUInt16LE(at);
    if (point >= 0xd800 && point < 0xe000 && at + 2 < whole.length) {
      at += 2;
      const high = ((point & 0x3c0) + 0x40) << 10;
      point = (whole.readUInt16LE(at) & 0x3ff) + ((point & 0x3f) << 10) + high;
    }
    end = writePoint(converted, end, point);
  }
  return converted.subarray(0, end);
}

/** @returns the offset behind it */
function writePoint(target: Buffer, offset: number, point: number): number {
  if (point < 0x80) return target.writeUInt8(point, offset);
  const last = 0x80 | (point & 0x3f);
  const third = 0x80 | ((point >> 6) & 0x3f);
  if (point < 0x800) return target.writeUInt16BE(((0xc0 | (point >> 6)) << 8) | last, offset);
  if (point < 0x10000) {
    const after = target.writeUInt8(0xe0 | (point >> 12), offset);
    return target.writeUInt16BE((third << 8) | last, after);
  }
  const second = 0x80 | ((point >> 12) & 0x3f);
  const after = target.writeUInt16BE(((0xf0 | (point >> 18)) << 8) | second, offset);
  return target.writeUInt16BE((third << 8) | last, after);
}
