import { SqlLexer } from './sql-lexer.ts';

/**
 * True when two definitions are the same but for blanks, comments and the spelling of their first words: SQLite writes
 * those anew, and a program that reads SQL by the line may change the ends of lines.
 */
export function sameDefinition(left: string, right: string): boolean {
  if (left === right) return true;
  const [ours, theirs] = [new SqlLexer(left), new SqlLexer(right)];
  for (let count = 0; ours.type !== 'end' || theirs.type !== 'end'; count++) {
    const same =
      count < 3 ? ours.text.toUpperCase() === theirs.text.toUpperCase() : ours.text === theirs.text;
    if (!same) return false;
    ours.next();
    theirs.next();
  }
  return true;
}
