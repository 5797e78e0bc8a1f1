/**
 * The truth key of a corpus database: an XML file that lists its tables with their rows, those that were deleted marked
 * as such. Only the elements that the keys use are read.
 */

export interface KeyTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** One text per row, in the form of `rowText`. */
  readonly rows: readonly string[];
  /** Rows that were deleted, or whose table was dropped: nobody wants them back. */
  readonly deletedRows: readonly string[];
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};

const plain = (text: string): string =>
  text
    .replace(/&#(?:x([0-9a-f]+)|(\d+));/gi, (_, hex, decimal) =>
      String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)),
    )
    .replace(/&(\w+);/g, (entity, name) => ENTITIES[name] ?? entity);

/** The text of the first element of that name; empty without one. */
function textOf(xml: string, element: string): string {
  const found = new RegExp(`<${element}( /)?>(?:([^<]*)</${element}>)?`).exec(xml);
  return plain(found?.[2] ?? '');
}

const elements = (xml: string, element: string): RegExpMatchArray[] => [
  ...xml.matchAll(new RegExp(`<${element}((?: [^>]*)?)>([^]*?)</${element}>`, 'g')),
];

/** Keys hold every value as text. */
export const rowText = (values: readonly string[]): string => JSON.stringify(values);

function tableOf(xml: string): KeyTable {
  const isDropped = textOf(xml, 'deleted') === 'True';
  const rows: string[] = [];
  const deletedRows: string[] = [];
  let columns: string[] = [];
  for (const [, attributes, row] of elements(xml, 'row')) {
    const cells = elements(row!, 'column').map(([, , cell]) => cell!);
    columns = cells.map((cell) => textOf(cell, 'name'));
    const isDeleted = isDropped || attributes!.includes('deleted="1"');
    const values = cells.map((cell) => textOf(cell, 'content'));
    (isDeleted ? deletedRows : rows).push(rowText(values));
  }
  return { name: textOf(xml, 'name'), columns, rows, deletedRows };
}

export interface TruthKey {
  /** What the corpus says its group is about. */
  readonly subject: string;
  readonly tables: readonly KeyTable[];
}

export function parseTruthKey(xml: string): TruthKey {
  const tables = elements(xml, 'element').map(([, , element]) => tableOf(element!));
  return { subject: textOf(xml, 'dc:description'), tables };
}
