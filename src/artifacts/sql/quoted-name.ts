/** A name as SQL: every name is quoted, so that none is taken for a keyword. */
export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
