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

const LEFT_OUT_COLUMNS: readonly Column<LooseDocument>[] = [
  { title: 'REASON', cell: (item) => textField(item, 'reason') ?? '' },
  {
    title: 'SIZE',
    align: 'right',
    cell: (item) => formatBytes(numberField(item, 'bytes') ?? 0),
  },
  { title: 'PATH', cell: (item) => textField(item, 'path') ?? '' },
];

/** What of a source is in no snapshot. */
export function renderCoverage(result: LooseDocument, color: boolean): string {
  const captured = documentField(result, 'captured');
  const left = documentField(result, 'notCaptured');
  const leftFiles = numberField(left, 'files') ?? 0;
  const lines = [
    `Captured: ${counted(numberField(captured, 'files') ?? 0, 'file')}, ${formatBytes(numberField(captured, 'bytes') ?? 0)}, of them ${counted(numberField(captured, 'databases') ?? 0, 'database')}`,
  ];
  for (const [reason, amount] of Object.entries(documentField(left, 'byReason') ?? {})) {
    const { files, bytes } = amount as { files: number; bytes: number };
    lines.push(`Not captured (${reason}): ${counted(files, 'file')}, ${formatBytes(bytes)}`);
  }
  if (leftFiles === 0) return [...lines, 'Nothing is left out.'].join('\n');
  const items = listField(result, 'items');
  const more = leftFiles - items.length;
  lines.push(renderTable(LEFT_OUT_COLUMNS, items, color));
  if (more > 0) lines.push(`and ${counted(more, 'file')} more`);
  return lines.join('\n');
}

export function renderDiscovered(result: LooseDocument): string {
  const paths = (result['databases'] as readonly string[] | undefined) ?? [];
  return paths.length === 0 ? 'No databases.' : paths.map(printable).join('\n');
}
