import { isUtf8 } from 'node:buffer';
import { SqlLexer } from './sql-lexer.ts';

const NOT_ASCII = /[^\0-\x7f]/;

/**
 * The text of a statement that was read with one character per byte. Literals whose bytes are no UTF-8 (other programs
 * write stored text as it is) become the bytes themselves; null where such bytes are anywhere else.
 */
export function statementText(bytesAsText: string): string | null {
  if (!NOT_ASCII.test(bytesAsText)) return bytesAsText;
  return decoded(bytesAsText) ?? decoded(withBytesForText(bytesAsText));
}

function decoded(bytesAsText: string): string | null {
  const bytes = Buffer.from(bytesAsText, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : null;
}

function withBytesForText(bytesAsText: string): string {
  const lexer = new SqlLexer(bytesAsText);
  let text = '';
  let copied = 0;
  for (; lexer.type !== 'end'; lexer.next()) {
    if (lexer.type !== 'string' || decoded(lexer.text) !== null) continue;
    const hex = Buffer.from(lexer.name!, 'latin1').toString('hex');
    text += `${bytesAsText.slice(copied, lexer.start)}CAST(X'${hex}' AS TEXT)`;
    copied = lexer.end;
  }
  return text + bytesAsText.slice(copied);
}
