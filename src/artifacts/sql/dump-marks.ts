/** The first line of our own dumps, and the last one: text that has the one and lacks the other was cut short. */

export const DUMP_HEADER = '-- Holdfast SQL dump, format 1';

const FOOTER = /^-- Holdfast end of dump: tables=(\d+) rows=(\d+)$/m;

export function dumpFooter(counts: { readonly tables: number; readonly rows: number }): string {
  return `-- Holdfast end of dump: tables=${counts.tables} rows=${counts.rows}\n`;
}

export function hasDumpFooter(text: string): boolean {
  return FOOTER.test(text);
}
