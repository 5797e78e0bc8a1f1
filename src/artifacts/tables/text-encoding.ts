import { isUtf8 } from 'node:buffer';
import type Database from 'better-sqlite3';
import type { TextEncoding } from '../../sqlite/header.ts';
import { RawText } from './cell-value.ts';

/** Where text and its bytes part: SQLite keeps whatever bytes it was given, and converts some of them without a word. */

const UNPAIRED_SURROGATE = /\p{Surrogate}/u;
// SQLite joins an unpaired surrogate with whatever follows it.
const ANY_SURROGATE_OR_REPLACEMENT = /[\uD800-\uDFFF\uFFFD]/;
const REPLACEMENT = '\uFFFD';
const NON_CHARACTER = /[\uFFFE\uFFFF]/;

export function encodingOf(database: Database.Database): TextEncoding {
  return database.pragma('encoding', { simple: true }) as TextEncoding;
}

export function isWellFormed(text: string): boolean {
  return !UNPAIRED_SURROGATE.test(text);
}

/** True when text that was read may stand for other bytes than those that are stored. */
export function mayDiffer(text: string, encoding: TextEncoding): boolean {
  if (encoding === 'UTF-8') return text.includes(REPLACEMENT);
  return ANY_SURROGATE_OR_REPLACEMENT.test(text);
}

function utf16Units(bytes: Buffer, encoding: TextEncoding): string {
  const units = encoding === 'UTF-16le' ? bytes : Buffer.from(bytes).swap16();
  return units.toString('utf16le');
}

/** The text that stored bytes are, or the bytes themselves where they are none. */
export function textOf(bytes: Buffer, encoding: TextEncoding): string | RawText {
  if (encoding === 'UTF-8') return isUtf8(bytes) ? bytes.toString('utf8') : new RawText(bytes);
  if (bytes.length % 2 !== 0) return new RawText(bytes);
  const text = utf16Units(bytes, encoding);
  return isWellFormed(text) ? text : new RawText(bytes);
}

/** Text as it has to be bound: SQLite takes U+FFFE and U+FFFF for mistakes when it converts them to UTF-16. */
export function boundText(text: string, encoding: TextEncoding): string | RawText {
  if (encoding === 'UTF-8' || !NON_CHARACTER.test(text)) return text;
  const bytes = Buffer.from(text, 'utf16le');
  return new RawText(encoding === 'UTF-16le' ? bytes : bytes.swap16());
}
