/** Half of the arguments that a function may have. */
const ARGUMENTS_MAX = 500;

/** An expression of the values with commas between them, however many there are. */
export function concatenated(expressions: readonly string[]): string {
  const groups: string[] = [];
  for (let at = 0; at < expressions.length; at += ARGUMENTS_MAX) {
    groups.push(`concat_ws(',', ${expressions.slice(at, at + ARGUMENTS_MAX).join(', ')})`);
  }
  return groups.length === 1 ? groups[0]! : `concat_ws(',', ${groups.join(', ')})`;
}
