import { isUtf8 } from 'node:buffer';
import type { TextEncoding } from './database-pragmas.ts';

/**
 * Stored text as an SQL literal that gives the same bytes back. Text that a literal cannot carry (bytes that are no
 * text, NUL, what SQLite changes when it translates) is written as the bytes of the database's own encoding.
 */
export function textLiteral(bytes: Buffer, encoding: TextEncoding): string {
  const text = encoding === 'UTF-8' ? decodeUtf8(bytes) : decodeUtf16(bytes, encoding);
  if (text === null || text.includes('\0')) return `CAST(X'${bytes.toString('hex')}' AS TEXT)`;
  return text.includes('\r') ? withoutReturns(text) : quotedText(text);
}

export function quotedText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function decodeUtf8(bytes: Buffer): string | null {
  return isUtf8(bytes) ? bytes.toString('utf8') : null;
}

/** Halves of characters; what SQLite replaces when it translates from UTF-8; a mark at the start, which may go. */
const LOST_IN_TRANSLATION = /^\ufeff|[\ufffe\uffff]|\p{Surrogate}/u;

function decodeUtf16(bytes: Buffer, encoding: TextEncoding): string | null {
  if (bytes.length % 2 !== 0) return null;
  const little = encoding === 'UTF-16le' ? bytes : Buffer.from(bytes).swap16();
  const text = little.toString('utf16le');
  return !LOST_IN_TRANSLATION.test(text) ? text : null;
}

/** Programs that read SQL by the line drop a carriage return at its end, also inside a literal. */
function withoutReturns(text: string): string {
  let mark = '\\r';
  for (let attempt = 0; text.includes(mark); attempt++) mark = `\\r(${attempt})`;
  return `replace(${quotedText(text.replaceAll('\r', mark))},'${mark}',char(13))`;
}
