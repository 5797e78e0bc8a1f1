import { counted } from './counted.ts';
import {
  documentField,
  type LooseDocument,
  listField,
  numberField,
  textField,
} from './document-fields.ts';
import { formatBytes } from './format-bytes.ts';
import { printable } from './printable.ts';
import { type Column, renderTable } from './table.ts';

const CHANGE_SIGNS: Readonly<Record<string, string>> = {
  added: '+',
  removed: '-',
  content: 'M',
  type: 'T',
  metadata: 'm',
};

const shownBytes = (item: LooseDocument, name: string): string => {
  const bytes = numberField(item, name);
  return bytes === null ? '' : formatBytes(bytes);
};

const PATH_COLUMNS: readonly Column<LooseDocument>[] = [
  { title: '', cell: (item) => CHANGE_SIGNS[textField(item, 'change') ?? ''] ?? '?' },
  { title: 'BEFORE', align: 'right', cell: (item) => shownBytes(item, 'bytesBefore') },
  { title: 'AFTER', align: 'right', cell: (item) => shownBytes(item, 'bytesAfter') },
  { title: 'PATH', cell: (item) => textField(item, 'path') ?? '' },
];

/** What `holdfast diff` prints: a line for each path, then the databases, then the sums. */
export function renderDiff(result: LooseDocument, color: boolean): string {
  const files = documentField(result, 'files');
  const items = listField(files, 'items');
  const lines = items.length === 0 ? [] : [renderTable(PATH_COLUMNS, items, color)];
  if (files?.['truncated'] === true) lines.push('… more paths differ: see the log of the job.');
  for (const database of listField(result, 'databases')) lines.push(renderDatabase(database));
  const counts = documentField(files, 'counts');
  const sums = ['added', 'removed', 'content', 'type', 'metadata'].map((kind) => {
    const label = kind === 'content' ? 'changed' : kind === 'metadata' ? 'in metadata only' : kind;
    return `${numberField(counts, kind) ?? 0} ${label}`;
  });
  lines.push(sums.join(', '));
  return lines.join('\n');
}

function renderDatabase(database: LooseDocument): string {
  const path = textField(database, 'path') ?? '';
  const skipped = textField(database, 'skipped');
  if (skipped !== null) return printable(`${path}: not compared: ${skipped}`);
  const schema = documentField(database, 'schema');
  const names = (kind: string): string[] =>
    ((schema?.[kind] ?? []) as unknown[]).map((name) => `${CHANGE_SIGNS[kind] ?? 'M'} ${name}`);
  const rows = (table: LooseDocument): string => {
    const figure = (name: string): string => String(numberField(table, name) ?? '–');
    return `${textField(table, 'name') ?? ''}: ${figure('rowsBefore')} → ${figure('rowsAfter')} rows`;
  };
  const unchanged = numberField(database, 'tablesUnchanged') ?? 0;
  return [
    `${path}: at most ${formatBytes(numberField(database, 'changedBytesMax') ?? 0)} differ`,
    ...[...names('added'), ...names('removed'), ...names('changed')].map((name) => `  ${name}`),
    ...listField(database, 'tables').map((table) => `  ${rows(table)}`),
    `  ${counted(unchanged, 'table')} with as many rows as before`,
  ]
    .map(printable)
    .join('\n');
}
