import { randomBytes } from 'node:crypto';

/** A UUIDv7 (RFC 9562 §5.7): sorts by creation time. `nowMs` is the wall clock. */
export function newId(nowMs: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}

/** The first 8 hex digits: what people see and type. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}
