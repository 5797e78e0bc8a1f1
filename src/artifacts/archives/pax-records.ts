import { decodeName } from './archive-names.ts';
import { damaged } from './archive-refusal.ts';

/** The records of POSIX pax headers: `<length> <key>=<value>\n`, the length counting itself. */
export type PaxRecords = ReadonlyMap<string, string>;

export function encodePaxRecords(records: PaxRecords): Buffer {
  const encoded = [...records].map(([key, value]) => {
    const record = ` ${key}=${value}\n`;
    const bytes = Buffer.byteLength(record);
    // Its own digits may make the length one digit longer.
    let length = bytes + String(bytes).length;
    length = bytes + String(length).length;
    return `${length}${record}`;
  });
  return Buffer.from(encoded.join(''));
}

const SPACE = 0x20;
const NEWLINE = 0x0a;
const EQUALS = 0x3d;

/** Keys whose values are text that Holdfast goes by; others may hold anything and are passed over. */
const TEXT_KEYS = new Set(['path', 'linkpath', 'size', 'mtime', 'hdrcharset']);

/** @throws VERIFY_FAILED for a record that is not one */
export function parsePaxRecords(body: Buffer, archive: string): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(SPACE, at);
    const digits = space === -1 ? '' : body.toString('latin1', at, Math.min(space, at + 9));
    const length = /^[1-9]\d*$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = body.indexOf(EQUALS, space);
    if (end > body.length || equals === -1 || equals >= end || body[end - 1] !== NEWLINE) {
      throw damaged(archive, 'a pax header cannot be read');
    }
    const key = body.toString('latin1', space + 1, equals);
    const value = body.subarray(equals + 1, end - 1);
    records.set(key, TEXT_KEYS.has(key) ? decodeName(value) : '');
    at = end;
  }
  return records;
}
