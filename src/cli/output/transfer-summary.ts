import { counted } from './counted.ts';
import { type LooseDocument, listField, numberField, textField } from './document-fields.ts';
import { formatBytes } from './format-bytes.ts';
import { printable } from './printable.ts';
import { type Column, renderTable } from './table.ts';

/** What an export wrote and an import took in, in words. */

export function renderExport(result: LooseDocument): string {
  const figure = (name: string): number | null => numberField(result, name);
  const id = textField(result, 'snapshotId');
  const what = textField(result, 'database') ?? (id === null ? '' : `snapshot ${id.slice(0, 8)}`);
  const tables = figure('tables');
  const entries = figure('entries');
  const parts = [
    ...(tables === null ? [] : [counted(tables, 'table'), counted(figure('rows') ?? 0, 'row')]),
    ...(entries === null ? [] : [counted(entries, 'entry', 'entries')]),
    formatBytes(figure('bytes') ?? 0),
    result['verified'] === true ? 'verified' : 'not read back',
  ];
  const place = textField(result, 'path');
  const from = id === null || what.startsWith('snapshot') ? '' : ` of snapshot ${id.slice(0, 8)}`;
  const head = `Exported ${what}${from}${place === null ? '' : ` to ${place}`}: ${parts.join(', ')}`;
  return `${printable(head)}\nSHA-256 ${textField(result, 'sha256') ?? ''}`;
}

const TABLE_COLUMNS: readonly Column<LooseDocument>[] = [
  { title: 'TABLE', cell: (table) => textField(table, 'table') ?? '' },
  ...(['read', 'inserted', 'updated', 'ignored'] as const).map(
    (name): Column<LooseDocument> => ({
      title: name.toUpperCase(),
      align: 'right',
      cell: (table) => String(numberField(table, name) ?? 0),
    }),
  ),
];

export function renderImport(result: LooseDocument, color: boolean): string {
  const from = printable(textField(result, 'from') ?? '');
  const verb = result['dryRun'] === true ? 'Would import' : 'Imported';
  const lines: string[] = [];
  switch (textField(result, 'into')) {
    case 'snapshot': {
      const id = textField(result, 'shortId') ?? '';
      const bytes = formatBytes(numberField(result, 'bytes') ?? 0);
      const entries = counted(numberField(result, 'entries') ?? 0, 'entry', 'entries');
      lines.push(`${verb} ${from} as snapshot ${id}: ${entries}, ${bytes}`);
      lines.push(`Bring it back: holdfast restore ${id} --in-place`);
      break;
    }
    case 'tables':
      lines.push(renderTable(TABLE_COLUMNS, listField(result, 'tables'), color));
      lines.push(`${verb} ${from} into ${printable(textField(result, 'database') ?? '')}`);
      break;
    case 'database':
      lines.push(`${verb} ${from} as ${printable(textField(result, 'database') ?? '')}`);
      break;
    default:
      lines.push(`${verb} ${from} as ${printable(textField(result, 'path') ?? '')}`);
  }
  const quarantine = textField(result, 'quarantineId');
  if (quarantine !== null) lines.push(`What was replaced is in quarantine: ${quarantine}`);
  const before = textField(result, 'preRestoreSnapshotId');
  if (before !== null) lines.push(`Snapshot of what was there before: ${before.slice(0, 8)}`);
  return lines.join('\n');
}
