import { printable } from './printable.ts';
import { styled, type Tone } from './style.ts';

export interface Cell {
  readonly text: string;
  readonly tone?: Tone;
}

export interface Column<Row> {
  readonly title: string;
  readonly align?: 'left' | 'right';
  cell(row: Row): string | Cell;
}

const toCell = (cell: string | Cell): Cell => (typeof cell === 'string' ? { text: cell } : cell);

/** Terminal cells a text takes: East Asian wide characters and emoji take two, combining marks none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mark}/u.test(character)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}

const pad = (text: string, width: number, align: 'left' | 'right'): string => {
  const space = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'right' ? space + text : text + space;
};

/** Lines of a table: a title row, columns two spaces apart, no trailing spaces. Cells are made printable. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  color: boolean,
): string {
  const cells = rows.map((row) =>
    columns.map((column) => {
      const { text, tone } = toCell(column.cell(row));
      return { text: printable(text), tone };
    }),
  );
  const widths = columns.map(({ title }, index) =>
    Math.max(displayWidth(title), ...cells.map((row) => displayWidth(row[index]!.text))),
  );
  const line = (row: readonly { text: string; tone?: Tone | undefined }[]): string => {
    const shown = row.map(({ text, tone }, index) => {
      const last = index === row.length - 1;
      const align = columns[index]!.align ?? 'left';
      const padded = last && align === 'left' ? text : pad(text, widths[index]!, align);
      return tone === undefined ? padded : styled(padded, tone, color);
    });
    return shown.join('  ').trimEnd();
  };
  const titles = columns.map(({ title }) => ({ text: title, tone: 'faint' as const }));
  return [line(titles), ...cells.map(line)].join('\n');
}

/** `name: value` lines with the values aligned; rows without a value are left out. */
export function renderFields(fields: readonly (readonly [string, string | null])[]): string {
  const present = fields.filter((field): field is [string, string] => field[1] !== null);
  const width = Math.max(0, ...present.map(([name]) => displayWidth(name)));
  return present
    .map(([name, value]) => `${pad(`${name}:`, width + 1, 'left')} ${printable(value)}`.trimEnd())
    .join('\n');
}
