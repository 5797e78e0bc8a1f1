/** One document per line: `JSON.stringify` never writes a raw newline. */

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The value of a line. @throws when it is not UTF-8 or not JSON */
export function parseJsonLine(line: Uint8Array): unknown {
  return JSON.parse(decoder.decode(line));
}

export function toJsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** True for lines of white space, which keep a connection alive and mean nothing. */
export function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
